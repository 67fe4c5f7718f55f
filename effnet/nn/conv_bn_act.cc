#include "effnet/nn/conv_bn_act.h"

#include <algorithm>

#include "effnet/nn/parallel.h"
#include "effnet/primitives/gather.h"

namespace effnet::nn {
namespace {

// Depth runs over window rows, window columns and channels, as the pixels' memory does.
std::vector<float> by_window(const ConvBnActShape& shape, const float* weight) {
  const std::int64_t window = shape.kernel * shape.kernel;
  std::vector<float> result(static_cast<std::size_t>(shape.out * shape.depth()));
  for (std::int64_t o = 0; o < shape.out; ++o) {
    for (std::int64_t tap = 0; tap < window; ++tap) {
      for (std::int64_t c = 0; c < shape.in; ++c) {
        result[static_cast<std::size_t>((o * window + tap) * shape.in + c)] = weight[(o * shape.in + c) * window + tap];
      }
    }
  }
  return result;
}

Source input(const ConvBnActShape& shape, const Cut& cut, const float* x) {
  if (shape.pointwise()) return lies_in(cut, x);
  const primitives::RowSource source{.data = x,
                                     .images = shape.images,
                                     .in = {shape.in, shape.in_h, shape.in_w},
                                     .out = {shape.out, shape.out_h, shape.out_w},
                                     .window = {shape.kernel, shape.stride, shape.top, shape.left}};
  return {[source](const Chunk& chunk, float* panel, std::int64_t panel_block) {
    gather_rows(source, chunk.first, chunk.pixels, panel, panel_block);
    return Pixels{panel, panel_block};
  }};
}

}  // namespace

void conv_bn_act_forward(const ConvBnActShape& shape, const float* weight, const NormParameters& parameters,
                         const float* x, const NormMode& mode, float* y, Norm& norm, float* out) {
  const ParallelScope scope(!mode.sum_all);
  const Cut parts = cut(shape.images, shape.out_h * shape.out_w, padded(shape.depth()) + 64);
  Moments moments = moments_of(parts, shape.out);
  forward_product(parts, Way::from_first, pack(by_window(shape, weight).data(), shape.out, shape.depth()),
                  input(shape, parts, x), y, mode.training ? &moments : nullptr);
  norm = normalise(moments, shape.out, parameters, mode);
  const std::int64_t pixels = shape.out_h * shape.out_w;
  const std::int64_t blocks = blocks_of(shape.out);
  parallel(blocks * shape.images, Way::from_last, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t task = last; task-- > first;) {
      const std::int64_t plane = plane_of(task, blocks, shape.images);
      const std::int64_t at = plane * pixels * kBlock;
      own_kernels().training.activate[static_cast<int>(shape.activation.epilogue)](
          activation_args(shape.activation, norm, plane / shape.images, y + at, pixels), out + at);
    }
  });
}

void conv_bn_act_backward(const ConvBnActShape& shape, const float* weight, const float* gamma, const float* x,
                          const NormMode& mode, const float* y, const Norm& norm, const float* dout, float* dz,
                          const ConvBnActGradients& gradients) {
  const ParallelScope scope(!mode.sum_all);
  const kernels::TrainingSet& set = own_kernels().training;
  const std::int64_t blocks = blocks_of(shape.out), sums_floats = blocks * 2 * kBlock;
  const Cut parts = cut(shape.images, shape.out_h * shape.out_w, padded(shape.out) + padded(shape.depth()) * 2);
  const auto segments = static_cast<std::int64_t>(parts.segments.size());
  std::vector<float> sums(static_cast<std::size_t>(segments * sums_floats));
  parallel(segments, [&](std::int64_t first, std::int64_t last) {
    float *const value = scratch(2 * parts.longest * kBlock), *const slope = value + parts.longest * kBlock;
    for (std::int64_t i = first; i < last; ++i) {
      const Segment& segment = parts.segments[static_cast<std::size_t>(i)];
      for (std::int64_t b = 0; b < blocks; ++b) {
        const std::int64_t at = (b * shape.out_pixels() + segment.first) * kBlock;
        const kernels::ActivationArgs args = activation_args(shape.activation, norm, b, y + at, segment.pixels);
        set.activate_both[static_cast<int>(shape.activation.epilogue)](args, value, slope);
        set.reduce({dout + at, slope, y + at, args.inverse, args.offset, dz + at,
                    sums.data() + i * sums_floats + b * 2 * kBlock, segment.pixels});
      }
    }
  });
  std::vector<double> totals(static_cast<std::size_t>(sums_floats));
  for (std::int64_t i = 0; i < segments; ++i) {
    for (std::size_t j = 0; j < totals.size(); ++j) totals[j] += sums[static_cast<std::size_t>(i * sums_floats) + j];
  }
  const NormGradient gradient = norm_gradient(totals, norm, gamma, shape.out, mode);
  std::copy(gradient.gamma.begin(), gradient.gamma.end(), gradients.gamma);
  std::copy(gradient.beta.begin(), gradient.beta.end(), gradients.beta);

  BackwardProduct product;
  product.cut = &parts;
  product.in_channels = shape.depth();
  product.out_channels = shape.out;
  OwnedMatrix packed;
  if (gradients.x != nullptr) packed = pack_transposed(weight, shape.out, shape.in);
  product.weight = &packed;
  product.dx = gradients.x;
  product.dy = before_norm(parts, y, dz, gradient, shape.out);
  product.x = input(shape, parts, x);
  std::vector<float> dw(static_cast<std::size_t>(shape.out * shape.depth()));
  backward_product(product, dw.data());
  const std::int64_t window = shape.kernel * shape.kernel;
  for (std::int64_t o = 0; o < shape.out; ++o) {
    for (std::int64_t tap = 0; tap < window; ++tap) {
      for (std::int64_t c = 0; c < shape.in; ++c) {
        gradients.weight[(o * shape.in + c) * window + tap] =
            dw[static_cast<std::size_t>((o * window + tap) * shape.in + c)];
      }
    }
  }
}

}  // namespace effnet::nn
