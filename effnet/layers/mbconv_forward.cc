#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/layers/chunked_gemm.h"
#include "effnet/layers/mbconv.h"

namespace effnet::layers {
namespace {

void check(const MbConvShape& s) {
  const std::int64_t smallest = std::min({s.images, s.in, s.expanded, s.out, s.in_h, s.in_w, s.out_h, s.out_w});
  const bool same_pixels = s.in_h == s.out_h && s.in_w == s.out_w;
  if (smallest > 0 && (s.expand || s.in == s.expanded) && (!s.residual || (s.in == s.out && same_pixels))) return;
  throw internal_error(
      "invalid MBConv shape (got {} images, input {}x{}x{}, {} expanded channels, output {}x{}x{}, expected positive "
      "sizes, equal input and expanded channels if there is no expansion, and equal input and output shapes if there "
      "is a residual)",
      s.images, s.in, s.in_h, s.in_w, s.expanded, s.out, s.out_h, s.out_w);
}

// Computes the channel means of the activated depthwise output, in one pass over y2.
void squeeze_means(const Context& context, const MbConvShape& shape, const float* y2, const BatchNormConstants& norm,
                   std::vector<float>& means) {
  const kernels::TrainingSet& set = context.kernels.training;
  const std::int64_t pixels = shape.out_h * shape.out_w;
  constexpr std::int64_t kRun = 256;  // up to 256 pixels are summed in float, these sums in double
  means.resize(static_cast<std::size_t>(padded(shape.expanded) * shape.images));
  const std::int64_t blocks = blocks_of(shape.expanded);
  context.loops.parallel(blocks * shape.images, [&](std::int64_t first, std::int64_t last) {
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

// out = batch norm(y3) * drop path scale [+ x].
void write_out(const Context& context, const MbConvShape& shape, const float* y3, const MbConvState& state,
               const float* x, float* out) {
  const std::int64_t pixels = shape.out_h * shape.out_w;
  const std::int64_t blocks = blocks_of(shape.out);
  context.loops.parallel(blocks * shape.images, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t task = first; task < last; ++task) {
      const std::int64_t plane = plane_of(task, blocks, shape.images);
      const std::int64_t channel = plane / shape.images * kBlock, at = plane * pixels * kBlock;
      const float branch_scale = state.drop_path_scale_of(plane % shape.images);
      float scale[kBlock], shift[kBlock];
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        scale[lane] = state.norm3.scale[static_cast<std::size_t>(channel + lane)] * branch_scale;
        shift[lane] = state.norm3.shift[static_cast<std::size_t>(channel + lane)] * branch_scale;
      }
      context.kernels.base.map[static_cast<int>(kernels::Epilogue::clamp)]({.a = y3 + at,
                                                                            .b = shape.residual ? x + at : nullptr,
                                                                            .scale = scale,
                                                                            .shift = shift,
                                                                            .out = out + at,
                                                                            .pixels = pixels,
                                                                            .low = -HUGE_VALF,
                                                                            .high = HUGE_VALF});
    }
  });
}

}  // namespace

DepthwiseShape MbConvShape::depthwise() const {
  return {.images = images,
          .channels = expanded,
          .in_h = in_h,
          .in_w = in_w,
          .out_h = out_h,
          .out_w = out_w,
          .kernel = kernel,
          .stride = stride,
          .top = top,
          .left = left};
}
SqueezeShape MbConvShape::squeeze() const {
  return {.images = images, .channels = expanded, .squeezed = squeezed, .activation = squeeze_activation};
}

void mbconv_forward(const Context& context, const MbConvShape& shape, const MbConvWeights& weights,
                    const BatchNormParameters (&norms)[3], const float* x, const MbConvTensors& tensors,
                    MbConvState& state, float* out) {
  check(shape);
  const kernels::TrainingSet& set = context.kernels.training;
  const auto act = static_cast<std::size_t>(shape.activation.epilogue);
  const auto partition_pixels = [&](std::int64_t pixels, std::int64_t floats_per_pixel) {
    return partition(context.kernels.base, shape.images, pixels, floats_per_pixel);
  };
  if (shape.expand) {
    const Partition parts = partition_pixels(shape.in_h * shape.in_w, padded(shape.in) + 64);
    primitives::ChannelMoments moments(parts.segment_pixels(), shape.expanded);
    gemm_forward(context, parts, LoopOrder::forward, pack(context, weights.expand, shape.expanded, shape.in),
                 stored_operand(parts, x), tensors.y1, state.mode.training ? &moments : nullptr);
    state.norm1 = batch_norm_constants(moments, shape.expanded, norms[0], state.mode);
  }

  const DepthwiseShape depthwise = shape.depthwise();
  primitives::ChannelMoments moments2 = moments_of(depthwise);
  depthwise_forward(
      context, depthwise, weights.depthwise,
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
  state.norm2 = batch_norm_constants(moments2, shape.expanded, norms[1], state.mode);

  if (shape.squeezed > 0) {
    squeeze_means(context, shape, tensors.y2, state.norm2, state.squeeze.mean);
    squeeze_forward(context, shape.squeeze(), weights.squeeze, state.squeeze);
  }

  const Partition parts = partition_pixels(shape.out_h * shape.out_w, padded(shape.expanded));
  primitives::ChannelMoments moments3(parts.segment_pixels(), shape.out);
  const auto gated = [&](std::int64_t s, std::int64_t b, float* to) {
    const Segment& segment = parts.segments[static_cast<std::size_t>(s)];
    const float* const y = tensors.y2 + (b * shape.out_pixels() + segment.first) * kBlock;
    set.activate[act](activation_args(shape.activation, state.norm2, b, y, segment.pixels,
                                      state.squeeze.gate_of(b, segment.image, shape.images)),
                      to);
  };
  gemm_forward(context, parts, LoopOrder::reverse, pack(context, weights.project, shape.out, shape.expanded),
               segment_operand(parts, blocks_of(shape.expanded), {tensors.y2}, gated), tensors.y3,
               state.mode.training ? &moments3 : nullptr);
  state.norm3 = batch_norm_constants(moments3, shape.out, norms[2], state.mode);
  write_out(context, shape, tensors.y3, state, x, out);
}

}  // namespace effnet::layers
