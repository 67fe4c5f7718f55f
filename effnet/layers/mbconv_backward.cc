#include <algorithm>
#include <cmath>
#include <memory>

#include "effnet/layers/chunked_gemm.h"
#include "effnet/layers/mbconv.h"

namespace effnet::layers {
namespace {

using kernels::kSeSums;

constexpr std::int64_t kStreamingFloats = 24 * 1024 * 1024 / 4;  // 24 MB; larger gradients bypass the caches

class Backward {
 public:
  Backward(const Context& with, const MbConvShape& block_shape, const MbConvWeights& block_weights, const float* input,
           const MbConvTensors& kept, const MbConvState& kept_state, const float* gradient,
           const MbConvGradients& wanted)
      : context(with),
        set(with.kernels.training),
        shape(block_shape),
        weights(block_weights),
        x(input),
        tensors(kept),
        state(kept_state),
        dout(gradient),
        gradients(wanted),
        n(shape.images),
        blocks(blocks_of(shape.expanded)),
        act(static_cast<std::size_t>(shape.activation.epilogue)),
        in_place(shape.expand && shape.stride == 1 && shape.in_h == shape.out_h && shape.in_w == shape.out_w),
        dh_memory(with.workspace.floats(shape.y2_floats())),
        dz1_memory(in_place ? dh_memory : with.workspace.floats(shape.y1_floats())),
        dh(dh_memory.get()),
        dz1(dz1_memory.get()) {}

  void run() {
    const BatchNormGradient norm3 = project_norm();
    project(norm3);
    squeeze();
    depthwise_norm();
    depthwise();
    if (shape.expand) expand();
  }

 private:
  Partition partition_pixels(std::int64_t pixels, std::int64_t floats_per_pixel) const {
    return partition(context.kernels.base, n, pixels, floats_per_pixel);
  }
  const float* gate(std::int64_t block, std::int64_t image) const { return state.squeeze.gate_of(block, image, n); }

  // Computes the gradient of the projection's batch norm, in one pass over dout and y3.
  BatchNormGradient project_norm() const {
    const Partition parts = partition_pixels(shape.out_h * shape.out_w, padded(shape.out) * 2);
    const auto add = [&](const Segment& segment, Scratch&, float* sums) {
      for (std::int64_t b = 0; b < blocks_of(shape.out); ++b) {
        const std::int64_t at = (b * shape.out_pixels() + segment.first) * kBlock;
        set.reduce({.d = dout + at,
                    .derivative = nullptr,
                    .y = tensors.y3 + at,
                    .inverse = state.norm3.inverse.data() + b * kBlock,
                    .offset = state.norm3.offset.data() + b * kBlock,
                    .out = nullptr,
                    .sums = sums + b * 2 * kBlock,
                    .pixels = segment.pixels});
      }
    };
    const std::vector<double> sums = sum_segments(context, parts, padded(shape.out) * 2, add,
                                                  [&](std::int64_t image) { return state.drop_path_scale_of(image); });
    return batch_norm_gradient(sums, state.norm3, weights.gamma3, shape.out, state.mode, gradients.gamma3,
                               gradients.beta3);
  }

  // Computes dh = dy3 * W, the projection's weight gradient, and gate_sums. squeeze() and depthwise_norm() compute the
  // gradients of the gate and of batch norm 2 from gate_sums.
  void project(const BatchNormGradient& norm3) {
    const Partition parts = partition_pixels(shape.out_h * shape.out_w, padded(shape.expanded) + padded(shape.out));
    const std::int64_t part_floats = kSeSums * kBlock;
    std::vector<float> sums(parts.segments.size() * static_cast<std::size_t>(blocks * part_floats));
    const auto dy3 = [&](std::int64_t s, std::int64_t b, float* to) {
      const Segment& segment = parts.segments[static_cast<std::size_t>(s)];
      float factor[kBlock];
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        factor[lane] = norm3.c0[static_cast<std::size_t>(b * kBlock + lane)] * state.drop_path_scale_of(segment.image);
      }
      const std::int64_t from = (b * shape.out_pixels() + segment.first) * kBlock;
      set.gradient(tensors.y3 + from,
                   {.d = dout + from,
                    .factor = factor,
                    .mean = nullptr,
                    .c1 = norm3.c1.data() + b * kBlock,
                    .c2 = norm3.c2.data() + b * kBlock,
                    .out = to,
                    .out_step = kBlock},
                   segment.pixels);
    };
    const auto gated = [&](std::int64_t s, std::int64_t b, float* to) {
      const Segment& segment = parts.segments[static_cast<std::size_t>(s)];
      const std::int64_t at = (b * shape.out_pixels() + segment.first) * kBlock;
      set.se_backward[act](
          activation_args(shape.activation, state.norm2, b, tensors.y2 + at, segment.pixels, gate(b, segment.image)),
          dh + at, to, sums.data() + (s * blocks + b) * part_floats);
    };
    gemm_backward(context, parts,
                  {.in_channels = shape.expanded,
                   .out_channels = shape.out,
                   .dy = segment_operand(parts, blocks_of(shape.out), {tensors.y3, dout}, dy3),
                   .x = segment_operand(parts, blocks, {tensors.y2}, gated),
                   .weight = pack_transposed(context, weights.project, shape.out, shape.expanded),
                   .dx = dh},
                  gradients.project);
    gate_sums.assign(static_cast<std::size_t>(n * blocks * part_floats), 0.0);
    for (std::size_t s = 0; s < parts.segments.size(); ++s) {
      double* const to = gate_sums.data() + parts.segments[s].image * blocks * part_floats;
      const float* const part = sums.data() + static_cast<std::int64_t>(s) * blocks * part_floats;
      for (std::int64_t j = 0; j < blocks * part_floats; ++j) to[j] += part[j];
    }
  }
  const double* gate_sum(std::int64_t image, std::int64_t block) const {
    return gate_sums.data() + (image * blocks + block) * kSeSums * kBlock;
  }

  // Computes mean_gradient (m in the formulas below): the gradient of the channel means divided by the number of
  // pixels. It follows from the gate's gradient. Without SE it is 0.
  void squeeze() {
    mean_gradient.assign(static_cast<std::size_t>(padded(shape.expanded) * n), 0.0F);
    if (shape.squeezed == 0) return;
    std::vector<double> dgate(mean_gradient.size());
    for (std::int64_t plane = 0; plane < blocks * n; ++plane) {
      std::copy_n(gate_sum(plane % n, plane / n), kBlock, dgate.begin() + plane * kBlock);
    }
    mean_gradient =
        squeeze_backward(context, shape.squeeze(), weights.squeeze, state.squeeze, dgate, gradients.squeeze);
    const auto pixels = static_cast<float>(shape.out_h * shape.out_w);
    for (float& value : mean_gradient) value /= pixels;
  }

  // Computes the gradient of batch norm 2. It needs the sums of dz2 and of dz2 * xhat, where
  // dz2 = derivative * (gate * dh + m). gate_sums has the sums of derivative * dh and of derivative, with and without
  // the factor xhat (kernels/training.h, SeBackwardFn), so no pass over the tensors is needed.
  void depthwise_norm() {
    std::vector<double> totals(static_cast<std::size_t>(blocks * 2 * kBlock));
    for (std::int64_t b = 0; b < blocks; ++b) {
      for (std::int64_t image = 0; image < n; ++image) {
        const double* const part = gate_sum(image, b);
        const float* const gate_factors = gate(b, image);
        for (std::int64_t lane = 0; lane < kBlock; ++lane) {
          const double factor = gate_factors != nullptr ? gate_factors[lane] : 1;
          const double m = mean_gradient[static_cast<std::size_t>((b * n + image) * kBlock + lane)];
          double* const to = totals.data() + b * 2 * kBlock + lane;
          to[0] += factor * part[kBlock + lane] + m * part[3 * kBlock + lane];
          to[kBlock] += factor * part[2 * kBlock + lane] + m * part[4 * kBlock + lane];
        }
      }
    }
    norm2 = batch_norm_gradient(totals, state.norm2, weights.gamma2, shape.expanded, state.mode, gradients.gamma2,
                                gradients.beta2);
  }

  // Returns the two factors of dy2 = derivative * (c0 * gate * dh + c0 * m) + c1 * y2 + c2 that depend on the image, as
  // [plane][2][16]: c0 * gate and c0 * m.
  std::vector<float> plane_factors() const {
    std::vector<float> factors(static_cast<std::size_t>(blocks * n * 2 * kBlock));
    for (std::int64_t plane = 0; plane < blocks * n; ++plane) {
      const float* const gate_factors = gate(plane / n, plane % n);
      float* const to = factors.data() + plane * 2 * kBlock;
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        const float c0 = norm2.c0[static_cast<std::size_t>(plane / n * kBlock + lane)];
        to[lane] = gate_factors != nullptr ? c0 * gate_factors[lane] : c0;
        to[kBlock + lane] = c0 * mean_gradient[static_cast<std::size_t>(plane * kBlock + lane)];
      }
    }
    return factors;
  }

  // Computes dz1 from dh, and the gradient of batch norm 1. Without expansion: computes the input's gradient from dh.
  void depthwise() {
    const std::vector<float> factors = plane_factors();
    std::vector<double> sums(static_cast<std::size_t>(blocks * n * 2 * kBlock));
    DepthwiseBackward backward;
    backward.weight = weights.depthwise;
    backward.make_input = [&](std::int64_t plane, std::int64_t row, float* to, float* derivative) {
      const std::int64_t at = input_row(plane, row);
      if (shape.expand) {
        set.activate_both[act](activation_args(shape.activation, state.norm1, plane / n, tensors.y1 + at, shape.in_w),
                               to, derivative);
      } else {
        std::copy_n(x + at, shape.in_w * kBlock, to);
      }
    };
    backward.make_gradient = [&](std::int64_t plane, std::int64_t row, float* to) {
      const std::int64_t at = (plane * shape.out_h + row) * shape.out_w * kBlock, channel = plane / n * kBlock;
      const float* const factor = factors.data() + plane * 2 * kBlock;
      set.activated_gradient[act](
          activation_args(shape.activation, state.norm2, plane / n, tensors.y2 + at, shape.out_w),
          {.d = dh + at,
           .factor = factor,
           .mean = factor + kBlock,
           .c1 = norm2.c1.data() + channel,
           .c2 = norm2.c2.data() + channel,
           .out = to,
           .out_step = kBlock});
    };
    backward.take_row = [&](std::int64_t plane, std::int64_t row, float* gradient, const float* derivative) {
      take_row(plane, row, gradient, derivative, sums.data() + plane * 2 * kBlock);
    };
    depthwise_backward(context, shape.depthwise(), backward, gradients.depthwise);
    if (!shape.expand) return;
    std::vector<double> totals(static_cast<std::size_t>(blocks * 2 * kBlock));
    for (std::int64_t plane = 0; plane < blocks * n; ++plane) {
      for (std::int64_t j = 0; j < 2 * kBlock; ++j) {
        totals[static_cast<std::size_t>(plane / n * 2 * kBlock + j)] +=
            sums[static_cast<std::size_t>(plane * 2 * kBlock + j)];
      }
    }
    norm1 = batch_norm_gradient(totals, state.norm1, weights.gamma1, shape.expanded, state.mode, gradients.gamma1,
                                gradients.beta1);
  }

  // Receives the gradient of a row of the depthwise convolution's input. With expansion: writes dz1 and adds to `sums`,
  // the sums of dz1 and of dz1 * xhat. Without expansion: writes the gradient of the block's input, if it is wanted.
  void take_row(std::int64_t plane, std::int64_t row, float* gradient, const float* derivative, double* sums) const {
    const std::int64_t block = plane / n, at = input_row(plane, row);
    if (shape.expand) {
      // Streaming stores save a sixth of this pass's time. Normal stores would first read the memory that dz1
      // overwrites, and little of dz1 would stay in the cache until the next pass.
      const bool streamed = !in_place && shape.y1_floats() > kStreamingFloats;
      float row_sums[2 * kBlock] = {};
      set.reduce({.d = gradient,
                  .derivative = derivative,
                  .y = tensors.y1 + at,
                  .inverse = state.norm1.inverse.data() + block * kBlock,
                  .offset = state.norm1.offset.data() + block * kBlock,
                  .out = dz1 + at,
                  .sums = row_sums,
                  .pixels = shape.in_w,
                  .stream = streamed});
      for (std::int64_t j = 0; j < 2 * kBlock; ++j) sums[j] += row_sums[j];
    } else if (gradients.x != nullptr) {
      context.kernels.base.map[static_cast<int>(kernels::Epilogue::clamp)]({.a = gradient,
                                                                            .b = shape.residual ? dout + at : nullptr,
                                                                            .scale = nullptr,
                                                                            .shift = nullptr,
                                                                            .out = gradients.x + at,
                                                                            .pixels = shape.in_w,
                                                                            .low = -HUGE_VALF,
                                                                            .high = HUGE_VALF});
    }
  }
  std::int64_t input_row(std::int64_t plane, std::int64_t row) const {
    return (plane * shape.in_h + row) * shape.in_w * kBlock;
  }

  void expand() const {
    const Partition parts = partition_pixels(shape.in_h * shape.in_w, padded(shape.expanded) + padded(shape.in) * 2);
    gemm_backward(context, parts,
                  {.in_channels = shape.in,
                   .out_channels = shape.expanded,
                   .dy = norm_gradient_operand(context.kernels, parts, tensors.y1, dz1, norm1, shape.expanded),
                   .x = stored_operand(parts, x),
                   .weight = pack_transposed(context, weights.expand, shape.expanded, shape.in),
                   .dx = gradients.x,
                   .residual = shape.residual ? dout : nullptr},
                  gradients.expand);
  }

  const Context& context;
  const kernels::TrainingSet& set;
  const MbConvShape& shape;
  const MbConvWeights& weights;
  const float* const x;
  const MbConvTensors& tensors;
  const MbConvState& state;
  const float* const dout;
  const MbConvGradients& gradients;
  const std::int64_t n, blocks;
  const std::size_t act;
  // Whether dz1 overwrites dh, whose memory is in the cache already. This is safe: each row of dh is read before it is
  // overwritten.
  const bool in_place;
  const std::shared_ptr<float> dh_memory, dz1_memory;
  float *const dh, *const dz1;  // gradients of gate * a2 (the projection's input) and of batch norm 1's output
  BatchNormGradient norm1, norm2;
  std::vector<double> gate_sums;     // [image][block][kSeSums][16]
  std::vector<float> mean_gradient;  // m: blocked, one pixel per image
};

}  // namespace

void mbconv_backward(const Context& context, const MbConvShape& shape, const MbConvWeights& weights, const float* x,
                     const MbConvTensors& tensors, const MbConvState& state, const float* dout,
                     const MbConvGradients& gradients) {
  Backward(context, shape, weights, x, tensors, state, dout, gradients).run();
}

}  // namespace effnet::layers
