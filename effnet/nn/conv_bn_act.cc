#include "effnet/nn/conv_bn_act.h"

#include <algorithm>

#include "effnet/nn/parallel.h"

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

// Each output pixel's window as a row of a panel. Windows within the picture are copied by whole vectors, each over the
// surplus of the one before: a stem's rows of 9 floats cost a library call each otherwise, 2 % of B0's step.
void gather_windows(const ConvBnActShape& shape, const float* x, const Chunk& chunk, float* panel,
                    std::int64_t panel_block) {
  const std::int64_t k = shape.kernel, depth = shape.depth(), row_floats = k * shape.in;
  const float* const end = x + shape.images * shape.in_h * shape.in_w * shape.in;
  std::vector<float> window(static_cast<std::size_t>(padded(depth) + kBlock));
  for (std::int64_t p = 0; p < chunk.pixels; ++p) {
    const std::int64_t pixel = chunk.first + p, image = pixel / (shape.out_h * shape.out_w);
    const std::int64_t top = pixel / shape.out_w % shape.out_h * shape.stride - shape.top;
    const std::int64_t left = pixel % shape.out_w * shape.stride - shape.left;
    const std::int64_t from = std::clamp<std::int64_t>(-left, 0, k), to = std::clamp(shape.in_w - left, from, k);
    for (std::int64_t ky = 0; ky < k; ++ky) {
      float* const row = window.data() + ky * row_floats;
      const std::int64_t y = top + ky;
      if (y < 0 || y >= shape.in_h) {
        std::fill_n(row, row_floats, 0.0F);
        continue;
      }
      const float* const source = x + ((image * shape.in_h + y) * shape.in_w + left + from) * shape.in;
      if (to - from == k && source + padded(row_floats) <= end) {
        for (std::int64_t i = 0; i < row_floats; i += kBlock) std::copy_n(source + i, kBlock, row + i);
        continue;
      }
      std::fill_n(row, from * shape.in, 0.0F);
      std::copy_n(source, (to - from) * shape.in, row + from * shape.in);
      std::fill_n(row + to * shape.in, (k - to) * shape.in, 0.0F);
    }
    std::fill_n(window.data() + depth, kBlock, 0.0F);
    for (std::int64_t b = 0; b < blocks_of(depth); ++b) {
      std::copy_n(window.data() + b * kBlock, kBlock, panel + b * panel_block + p * kBlock);
    }
  }
}

Source input(const ConvBnActShape& shape, const Cut& cut, const float* x) {
  if (shape.pointwise()) return lies_in(cut, x);
  return {[&shape, x](const Chunk& chunk, float* panel, std::int64_t panel_block) {
    gather_windows(shape, x, chunk, panel, panel_block);
    return Pixels{panel, panel_block};
  }};
}

}  // namespace

void conv_bn_act_forward(const ConvBnActShape& shape, const float* weight, const NormParameters& parameters,
                         const float* x, const NormMode& mode, float* y, Norm& norm, float* out) {
  const ParallelScope scope(!mode.sum_all);
  const Cut parts = cut(shape.images, shape.out_h * shape.out_w, padded(shape.depth()) + 64);
  Moments moments = moments_of(parts, shape.out);
  forward_product(parts, Way::from_first, shape.depth(),
                  pack(by_window(shape, weight).data(), shape.out, shape.depth(), shape.depth(), 1), shape.out,
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
  std::vector<float> packed;
  if (gradients.x != nullptr) packed = pack(weight, shape.in, 1, shape.out, shape.in);
  product.packed = &packed;
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
