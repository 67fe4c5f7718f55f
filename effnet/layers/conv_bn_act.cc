#include "effnet/layers/conv_bn_act.h"

#include <algorithm>
#include <memory>

#include "effnet/base/error.h"
#include "effnet/layers/chunked_gemm.h"
#include "effnet/primitives/gather.h"

namespace effnet::layers {
namespace {

void check(const ConvBnActShape& shape) {
  const bool sizes = std::min({shape.images, shape.in_h, shape.in_w, shape.out_h, shape.out_w, shape.in, shape.out,
                               shape.kernel, shape.stride}) > 0;
  const bool same = shape.in_h == shape.out_h && shape.in_w == shape.out_w && shape.top == 0 && shape.left == 0;
  if (sizes && (same || !shape.pointwise())) return;
  throw internal_error(
      "invalid convolution shape (got {} images, input {}x{}x{}, output {}x{}x{}, kernel {}, stride {}, expected "
      "positive sizes; for kernel 1 and stride 1 also the same height and width of input and output, and no padding)",
      shape.images, shape.in, shape.in_h, shape.in_w, shape.out, shape.out_h, shape.out_w, shape.kernel, shape.stride);
}

// Calls each(index in [out][depth], index in [out][in][kernel][kernel]) for every weight. The depth is ordered by
// window row, window column and channel, as the values of x are in memory.
template <class Each>
void for_each_weight(const ConvBnActShape& shape, const Each& each) {
  const std::int64_t window = shape.kernel * shape.kernel;
  for (std::int64_t o = 0; o < shape.out; ++o) {
    for (std::int64_t tap = 0; tap < window; ++tap) {
      for (std::int64_t c = 0; c < shape.in; ++c) {
        each(static_cast<std::size_t>((o * window + tap) * shape.in + c), (o * shape.in + c) * window + tap);
      }
    }
  }
}

GemmOperand input(const ConvBnActShape& shape, const Partition& parts, const float* x) {
  if (shape.pointwise()) return stored_operand(parts, x);
  const primitives::RowSource source{.data = x,
                                     .images = shape.images,
                                     .in = {shape.in, shape.in_h, shape.in_w},
                                     .out = {shape.out, shape.out_h, shape.out_w},
                                     .window = {shape.kernel, shape.stride, shape.top, shape.left}};
  return {[source](const Chunk& chunk, float* panel, std::int64_t panel_block) {
    gather_rows(source, chunk.first, chunk.pixels, panel, panel_block);
    return BlockedPixels{panel, panel_block};
  }};
}

}  // namespace

void conv_bn_act_forward(const Context& context, const ConvBnActShape& shape, const float* weight,
                         const BatchNormParameters& parameters, const float* x, const BatchNormMode& mode, float* y,
                         BatchNormConstants& norm, float* out) {
  check(shape);
  const std::int64_t pixels = shape.out_h * shape.out_w, blocks = blocks_of(shape.out);
  const Partition parts = partition(context.kernels.base, shape.images, pixels, padded(shape.depth()) + 64);
  primitives::ChannelMoments moments(parts.segment_pixels(), shape.out);
  std::vector<float> by_window(static_cast<std::size_t>(shape.out * shape.depth()));
  for_each_weight(shape, [&](std::size_t to, std::int64_t from) { by_window[to] = weight[from]; });
  gemm_forward(context, parts, LoopOrder::forward, pack(context, by_window.data(), shape.out, shape.depth()),
               input(shape, parts, x), y, mode.training ? &moments : nullptr);
  norm = batch_norm_constants(moments, shape.out, parameters, mode);
  context.loops.parallel(blocks * shape.images, LoopOrder::reverse, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t task = last; task-- > first;) {
      const std::int64_t plane = plane_of(task, blocks, shape.images);
      const std::int64_t at = plane * pixels * kBlock;
      context.kernels.training.activate[static_cast<int>(shape.activation.epilogue)](
          activation_args(shape.activation, norm, plane / shape.images, y + at, pixels), out + at);
    }
  });
}

void conv_bn_act_backward(const Context& context, const ConvBnActShape& shape, const float* weight, const float* gamma,
                          const float* x, const BatchNormMode& mode, const float* y, const BatchNormConstants& norm,
                          const float* dout, const ConvBnActGradients& gradients) {
  check(shape);
  EFFNET_CHECK(gradients.x == nullptr || shape.pointwise());
  const kernels::TrainingSet& set = context.kernels.training;
  const auto activation = static_cast<std::size_t>(shape.activation.epilogue);
  const std::int64_t blocks = blocks_of(shape.out);
  const std::shared_ptr<float> memory = context.workspace.floats(shape.y_floats());
  float* const dz = memory.get();
  const Partition parts = partition(context.kernels.base, shape.images, shape.out_h * shape.out_w,
                                    padded(shape.out) + padded(shape.depth()) * 2);
  const std::vector<double> sums = sum_segments(
      context, parts, blocks * 2 * kBlock, [&](const Segment& segment, Scratch& scratch, float* segment_sums) {
        float *const value = scratch.floats(2 * parts.longest_chunk * kBlock), *const derivative =
                                                                                   value + parts.longest_chunk * kBlock;
        for (std::int64_t b = 0; b < blocks; ++b) {
          const std::int64_t at = (b * shape.out_pixels() + segment.first) * kBlock;
          const kernels::ActivationArgs args = activation_args(shape.activation, norm, b, y + at, segment.pixels);
          set.activate_both[activation](args, value, derivative);
          set.reduce({.d = dout + at,
                      .derivative = derivative,
                      .y = y + at,
                      .inverse = args.inverse,
                      .offset = args.offset,
                      .out = dz + at,
                      .sums = segment_sums + b * 2 * kBlock,
                      .pixels = segment.pixels});
        }
      });
  const BatchNormGradient gradient =
      batch_norm_gradient(sums, norm, gamma, shape.out, mode, gradients.gamma, gradients.beta);

  std::vector<float> dw(static_cast<std::size_t>(shape.out * shape.depth()));
  gemm_backward(
      context, parts,
      {.in_channels = shape.depth(),
       .out_channels = shape.out,
       .dy = norm_gradient_operand(context.kernels, parts, y, dz, gradient, shape.out),
       .x = input(shape, parts, x),
       .weight = gradients.x == nullptr ? OwnedMatrix{} : pack_transposed(context, weight, shape.out, shape.in),
       .dx = gradients.x},
      dw.data());
  for_each_weight(shape, [&](std::size_t from, std::int64_t to) { gradients.weight[to] = dw[from]; });
}

}  // namespace effnet::layers
