#include <algorithm>
#include <cmath>

#include "effnet/nn/mbconv.h"
#include "effnet/nn/parallel.h"

namespace effnet::nn {
namespace {

std::vector<float> with_padding(const float* values, std::int64_t channels) {
  std::vector<float> result(static_cast<std::size_t>(padded(channels)));
  std::copy_n(values, channels, result.begin());
  return result;
}

// The mean of the activated depthwise output: one pass over y2.
void squeeze_means(const MbConvShape& shape, const float* y2, const Norm& norm, std::vector<float>& means) {
  const kernels::TrainingSet& set = own_kernels().training;
  const std::int64_t pixels = shape.out_h * shape.out_w;
  constexpr std::int64_t kRun = 256;  // pixels summed in float; runs in double
  means.resize(static_cast<std::size_t>(padded(shape.expanded) * shape.images));
  const std::int64_t blocks = blocks_of(shape.expanded);
  parallel(blocks * shape.images, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t task = first; task < last; ++task) {
      const std::int64_t plane = plane_of(task, blocks, shape.images);
      double sums[kBlock] = {};
      for (std::int64_t p = 0; p < pixels; p += kRun) {
        float run[kBlock] = {};
        const float* const y = y2 + (plane * pixels + p) * kBlock;
        set.activate_sum[static_cast<int>(shape.activation.epilogue)](
            activation_args(shape.activation, norm, plane / shape.images, y, std::min(kRun, pixels - p)), run);
        for (std::int64_t lane = 0; lane < kBlock; ++lane) sums[lane] += run[lane];
      }
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        means[static_cast<std::size_t>(plane * kBlock + lane)] =
            static_cast<float>(sums[lane] / static_cast<double>(pixels));
      }
    }
  });
}

void squeeze_forward(const MbConvShape& shape, const MbConvWeights& weights, SqueezeState& state) {
  const kernels::KernelSet& set = own_kernels().base;
  const std::int64_t n = shape.images, c = shape.expanded, r = shape.squeezed;
  state.reduced.resize(static_cast<std::size_t>(padded(r) * n));
  state.active.resize(state.reduced.size());
  state.gate.resize(static_cast<std::size_t>(padded(c) * n));
  const auto multiply = [&](const std::vector<float>& a, const OwnedMatrix& weight, const float* bias,
                            std::vector<float>& out) {
    gemm_all({.a = a.data(),
              .a_block = n * kBlock,
              .matrix = weight.view(),
              .bias = with_padding(bias, weight.shape.channels).data(),
              .out = out.data(),
              .out_block = n * kBlock,
              .pixels = n});
  };
  multiply(state.mean, pack(weights.reduce, r, c), weights.reduce_bias, state.reduced);
  set.map[static_cast<int>(shape.squeeze_activation.epilogue)](
      {state.reduced.data(), nullptr, nullptr, nullptr, state.active.data(), blocks_of(r) * n,
       shape.squeeze_activation.low, shape.squeeze_activation.high});
  multiply(state.active, pack(weights.excite, c, r), weights.excite_bias, state.gate);
  set.sigmoid({state.gate.data(), nullptr, nullptr, nullptr, state.gate.data(), blocks_of(c) * n, 0, 0});
}

// out = norm(y3) * keep [+ x].
void write_out(const MbConvShape& shape, const float* y3, const MbConvState& state, const float* x, float* out) {
  const std::int64_t pixels = shape.out_h * shape.out_w;
  const std::int64_t blocks = blocks_of(shape.out);
  parallel(blocks * shape.images, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t task = first; task < last; ++task) {
      const std::int64_t plane = plane_of(task, blocks, shape.images);
      const std::int64_t channel = plane / shape.images * kBlock, at = plane * pixels * kBlock;
      const float keep = state.keep_of(plane % shape.images);
      float scale[kBlock], shift[kBlock];
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        scale[lane] = state.norm3.scale[static_cast<std::size_t>(channel + lane)] * keep;
        shift[lane] = state.norm3.shift[static_cast<std::size_t>(channel + lane)] * keep;
      }
      own_kernels().base.map[static_cast<int>(kernels::Epilogue::clamp)](
          {y3 + at, shape.residual ? x + at : nullptr, scale, shift, out + at, pixels, -HUGE_VALF, HUGE_VALF});
    }
  });
}

}  // namespace

DepthwiseShape MbConvShape::depthwise() const {
  return {images, expanded, in_h, in_w, out_h, out_w, kernel, stride, top, left};
}

void mbconv_forward(const MbConvShape& shape, const MbConvWeights& weights, const NormParameters (&norms)[3],
                    const float* x, const MbConvTensors& tensors, MbConvState& state, float* out) {
  const ParallelScope scope(!state.mode.sum_all);
  const kernels::TrainingSet& set = own_kernels().training;
  const auto act = static_cast<std::size_t>(shape.activation.epilogue);
  if (shape.expand) {
    const Cut parts = cut(shape.images, shape.in_h * shape.in_w, padded(shape.in) + 64);
    Moments moments = moments_of(parts, shape.expanded);
    forward_product(parts, Way::from_first, pack(weights.expand, shape.expanded, shape.in), lies_in(parts, x),
                    tensors.y1, state.mode.training ? &moments : nullptr);
    state.norm1 = normalise(moments, shape.expanded, norms[0], state.mode);
  }

  const DepthwiseShape depthwise = shape.depthwise();
  Moments moments2 = moments_of(depthwise);
  depthwise_forward(
      depthwise, weights.depthwise,
      [&](std::int64_t plane, std::int64_t row, float* to) {
        const std::int64_t at = (plane * shape.in_h + row) * shape.in_w * kBlock;
        if (shape.expand) {
          const std::int64_t block = plane / shape.images;
          set.activate[act](activation_args(shape.activation, state.norm1, block, tensors.y1 + at, shape.in_w), to);
        } else {
          std::copy_n(x + at, shape.in_w * kBlock, to);
        }
      },
      tensors.y2, moments2);
  state.norm2 = normalise(moments2, shape.expanded, norms[1], state.mode);

  if (shape.squeezed > 0) {
    squeeze_means(shape, tensors.y2, state.norm2, state.squeeze.mean);
    squeeze_forward(shape, weights, state.squeeze);
  }

  const Cut parts = cut(shape.images, shape.out_h * shape.out_w, padded(shape.expanded));
  Moments moments3 = moments_of(parts, shape.out);
  forward_product(parts, Way::from_last, pack(weights.project, shape.out, shape.expanded),
                  {[&](const Chunk& chunk, float* panel, std::int64_t panel_block) {
                     for (std::int64_t s = chunk.segment; s < chunk.segment + chunk.segments; ++s) {
                       const Segment& segment = parts.segments[static_cast<std::size_t>(s)];
                       for (std::int64_t b = 0; b < blocks_of(shape.expanded); ++b) {
                         const float* const gate = shape.squeezed > 0 ? state.squeeze.gate.data() +
                                                                            (b * shape.images + segment.image) * kBlock
                                                                      : nullptr;
                         const float* const y = tensors.y2 + (b * shape.out_pixels() + segment.first) * kBlock;
                         set.activate[act](activation_args(shape.activation, state.norm2, b, y, segment.pixels, gate),
                                           panel + b * panel_block + (segment.first - chunk.first) * kBlock);
                       }
                     }
                     return Pixels{panel, panel_block};
                   },
                   blocks_of(shape.expanded),
                   {tensors.y2}},
                  tensors.y3, state.mode.training ? &moments3 : nullptr);
  state.norm3 = normalise(moments3, shape.out, norms[2], state.mode);
  write_out(shape, tensors.y3, state, x, out);
}

}  // namespace effnet::nn
