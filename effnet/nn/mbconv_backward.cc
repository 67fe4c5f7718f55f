#include <algorithm>
#include <cmath>

#include "effnet/nn/mbconv.h"
#include "effnet/nn/parallel.h"

namespace effnet::nn {
namespace {

using kernels::kGateSums;

constexpr std::int64_t kPastCaches = 24 * 1024 * 1024 / 4;

class Backward {
 public:
  Backward(const MbConvShape& block_shape, const MbConvWeights& block_weights, const float* input,
           const MbConvTensors& kept, const MbConvState& kept_state, const float* gradient, float* dh_memory,
           float* dz1_memory, const MbConvGradients& wanted)
      : shape(block_shape),
        weights(block_weights),
        x(input),
        tensors(kept),
        state(kept_state),
        dout(gradient),
        dh(dh_memory),
        dz1(dz1_memory),
        gradients(wanted),
        n(shape.images),
        act(static_cast<std::size_t>(shape.activation.epilogue)) {}

  void run() {
    const NormGradient norm3 = project_norm();
    project(norm3);
    squeeze();
    depthwise_norm();
    depthwise();
    if (shape.expand) expand();
  }

 private:
  void keep_norm(const NormGradient& norm, float* gamma, float* beta) const {
    std::copy(norm.gamma.begin(), norm.gamma.end(), gamma);
    std::copy(norm.beta.begin(), norm.beta.end(), beta);
  }
  const float* gate(std::int64_t block, std::int64_t image) const {
    return shape.squeezed > 0 ? state.squeeze.gate.data() + (block * n + image) * kBlock : nullptr;
  }

  // The sums of the project's batch norm: one pass over dout and y3.
  NormGradient project_norm() {
    const Cut parts = cut(n, shape.out_h * shape.out_w, padded(shape.out) * 2);
    const std::int64_t blocks = blocks_of(shape.out);
    const auto segments = static_cast<std::int64_t>(parts.segments.size());
    std::vector<float> sums(static_cast<std::size_t>(segments * blocks * 2 * kBlock));
    parallel(segments, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const Segment& segment = parts.segments[static_cast<std::size_t>(i)];
        for (std::int64_t b = 0; b < blocks; ++b) {
          const std::int64_t at = (b * shape.out_pixels() + segment.first) * kBlock;
          own_kernels().training.reduce({dout + at, nullptr, tensors.y3 + at, state.norm3.inverse.data() + b * kBlock,
                                         state.norm3.offset.data() + b * kBlock, nullptr,
                                         sums.data() + (i * blocks + b) * 2 * kBlock, segment.pixels});
        }
      }
    });
    std::vector<double> totals(static_cast<std::size_t>(blocks * 2 * kBlock));
    for (std::int64_t i = 0; i < segments; ++i) {
      const double factor = state.keep_of(parts.segments[static_cast<std::size_t>(i)].image);
      const float* const part = sums.data() + i * blocks * 2 * kBlock;
      for (std::size_t j = 0; j < totals.size(); ++j) totals[j] += factor * part[j];
    }
    NormGradient norm = norm_gradient(totals, state.norm3, weights.gamma3, shape.out, state.mode);
    keep_norm(norm, gradients.gamma3, gradients.beta3);
    return norm;
  }

  // dh = dy3 * W^T, dW, and the sums that the gate and the batch norm before it need.
  void project(const NormGradient& norm3) {
    const Cut parts = cut(n, shape.out_h * shape.out_w, padded(shape.expanded) + padded(shape.out));
    const std::int64_t blocks = blocks_of(shape.expanded), part_floats = kGateSums * kBlock;
    std::vector<float> sums(parts.segments.size() * static_cast<std::size_t>(blocks * part_floats));
    const OwnedMatrix packed = pack_transposed(weights.project, shape.out, shape.expanded);
    BackwardProduct product;
    product.cut = &parts;
    product.in_channels = shape.expanded;
    product.out_channels = shape.out;
    product.weight = &packed;
    product.dx = dh;
    product.dy.make = [&](const Chunk& chunk, float* panel, std::int64_t block) {
      for (std::int64_t s = chunk.segment; s < chunk.segment + chunk.segments; ++s) {
        const Segment& segment = parts.segments[static_cast<std::size_t>(s)];
        for (std::int64_t b = 0; b < blocks_of(shape.out); ++b) {
          float factor[kBlock];
          for (std::int64_t lane = 0; lane < kBlock; ++lane) {
            factor[lane] = norm3.c0[static_cast<std::size_t>(b * kBlock + lane)] * state.keep_of(segment.image);
          }
          const std::int64_t from = (b * shape.out_pixels() + segment.first) * kBlock;
          float* const at = panel + b * block + (segment.first - chunk.first) * kBlock;
          own_kernels().training.gradient(
              tensors.y3 + from,
              {dout + from, factor, nullptr, norm3.c1.data() + b * kBlock, norm3.c2.data() + b * kBlock, at, kBlock},
              segment.pixels);
        }
      }
      return Pixels{panel, block};
    };
    product.dy.blocks = blocks_of(shape.out);
    product.dy.reads = {tensors.y3, dout};
    product.x.make = [&](const Chunk& chunk, float* panel, std::int64_t panel_block) {
      for (std::int64_t s = chunk.segment; s < chunk.segment + chunk.segments; ++s) {
        const Segment& segment = parts.segments[static_cast<std::size_t>(s)];
        for (std::int64_t b = 0; b < blocks; ++b) {
          const std::int64_t at = (b * shape.out_pixels() + segment.first) * kBlock;
          own_kernels().training.gate_backward[act](activation_args(shape.activation, state.norm2, b, tensors.y2 + at,
                                                                    segment.pixels, gate(b, segment.image)),
                                                    dh + at,
                                                    panel + b * panel_block + (segment.first - chunk.first) * kBlock,
                                                    sums.data() + (s * blocks + b) * part_floats);
        }
      }
      return Pixels{panel, panel_block};
    };
    product.x.blocks = blocks;
    product.x.reads = {tensors.y2};
    backward_product(product, gradients.project);
    gate_sums.assign(static_cast<std::size_t>(n * blocks * part_floats), 0.0);
    for (std::size_t s = 0; s < parts.segments.size(); ++s) {
      double* const to = gate_sums.data() + parts.segments[s].image * blocks * part_floats;
      const float* const part = sums.data() + static_cast<std::int64_t>(s) * blocks * part_floats;
      for (std::int64_t j = 0; j < blocks * part_floats; ++j) to[j] += part[j];
    }
  }
  const double* gate_sum(std::int64_t image, std::int64_t block) const {
    return gate_sums.data() + (image * blocks_of(shape.expanded) + block) * kGateSums * kBlock;
  }

  // From the gate's gradient through both linear layers to that of the mean, divided by the pixels.
  void squeeze() {
    mean_gradient.assign(static_cast<std::size_t>(padded(shape.expanded) * n), 0.0F);
    if (shape.squeezed == 0) return;
    const std::int64_t c = shape.expanded, r = shape.squeezed;
    const SqueezeState& kept = state.squeeze;
    std::vector<float> excite(kept.gate.size());  // the gradient before the sigmoid
    for (std::int64_t b = 0; b < blocks_of(c); ++b) {
      for (std::int64_t image = 0; image < n; ++image) {
        for (std::int64_t lane = 0; lane < kBlock; ++lane) {
          const auto at = static_cast<std::size_t>((b * n + image) * kBlock + lane);
          const double open = kept.gate[at];
          excite[at] = static_cast<float>(gate_sum(image, b)[lane] * open * (1 - open));
        }
      }
    }
    outer_product(excite.data(), c, kept.active.data(), r, n, gradients.excite);
    sum_images(excite, c, gradients.excite_bias);
    std::vector<float> reduce(kept.reduced.size()), active(kept.reduced.size()), slope(kept.reduced.size());
    multiply_images(excite.data(), pack_transposed(weights.excite, c, r), reduce.data());
    const std::vector<float> ones(kBlock, 1.0F), zeros(kBlock, 0.0F);
    own_kernels().training.activate_both[static_cast<std::size_t>(shape.squeeze_activation.epilogue)](
        {kept.reduced.data(), ones.data(), zeros.data(), nullptr, nullptr, nullptr, shape.squeeze_activation.low,
         shape.squeeze_activation.high, blocks_of(r) * n},
        active.data(), slope.data());
    for (std::size_t i = 0; i < reduce.size(); ++i) reduce[i] *= slope[i];
    outer_product(reduce.data(), r, kept.mean.data(), c, n, gradients.reduce);
    sum_images(reduce, r, gradients.reduce_bias);
    multiply_images(reduce.data(), pack_transposed(weights.reduce, r, c), mean_gradient.data());
    const auto pixels = static_cast<float>(shape.out_h * shape.out_w);
    for (float& value : mean_gradient) value /= pixels;
  }
  // a and out are blocked over images.
  void multiply_images(const float* a, const OwnedMatrix& weight, float* out) const {
    gemm_all(
        {.a = a, .a_block = n * kBlock, .matrix = weight.view(), .out = out, .out_block = n * kBlock, .pixels = n});
  }
  void sum_images(const std::vector<float>& values, std::int64_t channels, float* to) const {
    for (std::int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::int64_t image = 0; image < n; ++image) {
        sum += values[static_cast<std::size_t>((c / kBlock * n + image) * kBlock + c % kBlock)];
      }
      to[c] = static_cast<float>(sum);
    }
  }

  // dz2 = slope * (gate * dh + m): its sums follow from the gate's.
  void depthwise_norm() {
    const std::int64_t blocks = blocks_of(shape.expanded);
    std::vector<double> totals(static_cast<std::size_t>(blocks * 2 * kBlock));
    for (std::int64_t b = 0; b < blocks; ++b) {
      for (std::int64_t image = 0; image < n; ++image) {
        const double* const part = gate_sum(image, b);
        const float* const open = gate(b, image);
        for (std::int64_t lane = 0; lane < kBlock; ++lane) {
          const double factor = open != nullptr ? open[lane] : 1;
          const double m = mean_gradient[static_cast<std::size_t>((b * n + image) * kBlock + lane)];
          double* const to = totals.data() + b * 2 * kBlock + lane;
          to[0] += factor * part[kBlock + lane] + m * part[3 * kBlock + lane];
          to[kBlock] += factor * part[2 * kBlock + lane] + m * part[4 * kBlock + lane];
        }
      }
    }
    norm2 = norm_gradient(totals, state.norm2, weights.gamma2, shape.expanded, state.mode);
    keep_norm(norm2, gradients.gamma2, gradients.beta2);
  }

  // From dh to dz1 (or to the input's gradient, where nothing is expanded), and the sums of the expand's batch norm.
  void depthwise() {
    const kernels::TrainingSet& set = own_kernels().training;
    const std::int64_t blocks = blocks_of(shape.expanded);
    // Factors of every plane.
    std::vector<float> factors(static_cast<std::size_t>(blocks * n * 2 * kBlock));
    for (std::int64_t plane = 0; plane < blocks * n; ++plane) {
      const float* const open = gate(plane / n, plane % n);
      float* const to = factors.data() + plane * 2 * kBlock;
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        const float c0 = norm2.c0[static_cast<std::size_t>(plane / n * kBlock + lane)];
        to[lane] = open != nullptr ? c0 * open[lane] : c0;
        to[kBlock + lane] = c0 * mean_gradient[static_cast<std::size_t>(plane * kBlock + lane)];
      }
    }
    std::vector<double> sums(static_cast<std::size_t>(blocks * n * 2 * kBlock));
    DepthwiseBackward backward;
    backward.weight = weights.depthwise;
    backward.make_input = [&](std::int64_t plane, std::int64_t row, float* to, float* slope) {
      const std::int64_t at = input_row(plane, row);
      if (shape.expand) {
        set.activate_both[act](activation_args(shape.activation, state.norm1, plane / n, tensors.y1 + at, shape.in_w),
                               to, slope);
      } else {
        std::copy_n(x + at, shape.in_w * kBlock, to);
      }
    };
    backward.make_gradient = [&](std::int64_t plane, std::int64_t row, float* to) {
      const std::int64_t at = (plane * shape.out_h + row) * shape.out_w * kBlock, channel = plane / n * kBlock;
      const float* const factor = factors.data() + plane * 2 * kBlock;
      set.activated_gradient[act](
          activation_args(shape.activation, state.norm2, plane / n, tensors.y2 + at, shape.out_w),
          {dh + at, factor, factor + kBlock, norm2.c1.data() + channel, norm2.c2.data() + channel, to, kBlock});
    };
    // A cache would read what dz1 overwrites, and keep little of it until the next pass: a sixth of this one's time.
    const bool streamed = !shape.in_place() && shape.y1_floats() > kPastCaches;
    backward.take_row = [&, streamed](std::int64_t plane, std::int64_t row, float* gradient, const float* slope) {
      const std::int64_t block = plane / n, at = input_row(plane, row);
      if (shape.expand) {
        float row_sums[2 * kBlock] = {};
        set.reduce({gradient, slope, tensors.y1 + at, state.norm1.inverse.data() + block * kBlock,
                    state.norm1.offset.data() + block * kBlock, dz1 + at, row_sums, shape.in_w, streamed});
        double* const to = sums.data() + plane * 2 * kBlock;
        for (std::int64_t j = 0; j < 2 * kBlock; ++j) to[j] += row_sums[j];
      } else if (gradients.x != nullptr) {
        own_kernels().base.map[static_cast<int>(kernels::Epilogue::clamp)](
            {gradient, shape.residual ? dout + at : nullptr, nullptr, nullptr, gradients.x + at, shape.in_w, -HUGE_VALF,
             HUGE_VALF});
      }
    };
    depthwise_backward(shape.depthwise(), backward, gradients.depthwise);
    if (!shape.expand) return;
    std::vector<double> totals(static_cast<std::size_t>(blocks * 2 * kBlock));
    for (std::int64_t plane = 0; plane < blocks * n; ++plane) {
      for (std::int64_t j = 0; j < 2 * kBlock; ++j) {
        totals[static_cast<std::size_t>(plane / n * 2 * kBlock + j)] +=
            sums[static_cast<std::size_t>(plane * 2 * kBlock + j)];
      }
    }
    norm1 = norm_gradient(totals, state.norm1, weights.gamma1, shape.expanded, state.mode);
    keep_norm(norm1, gradients.gamma1, gradients.beta1);
  }
  std::int64_t input_row(std::int64_t plane, std::int64_t row) const {
    return (plane * shape.in_h + row) * shape.in_w * kBlock;
  }

  void expand() {
    const Cut parts = cut(n, shape.in_h * shape.in_w, padded(shape.expanded) + padded(shape.in) * 2);
    const OwnedMatrix packed = pack_transposed(weights.expand, shape.expanded, shape.in);
    BackwardProduct product;
    product.cut = &parts;
    product.in_channels = shape.in;
    product.out_channels = shape.expanded;
    product.weight = &packed;
    product.dx = gradients.x;
    product.residual = shape.residual ? dout : nullptr;
    product.dy = before_norm(parts, tensors.y1, dz1, norm1, shape.expanded);
    product.x = lies_in(parts, x);
    backward_product(product, gradients.expand);
  }

  const MbConvShape& shape;
  const MbConvWeights& weights;
  const float* const x;
  const MbConvTensors& tensors;
  const MbConvState& state;
  const float* const dout;
  float *const dh, *const dz1;
  const MbConvGradients& gradients;
  const std::int64_t n;
  const std::size_t act;
  NormGradient norm1, norm2;
  std::vector<double> gate_sums;     // [image][block][kGateSums][16]
  std::vector<float> mean_gradient;  // blocked over images
};

}  // namespace

void mbconv_backward(const MbConvShape& shape, const MbConvWeights& weights, const float* x,
                     const MbConvTensors& tensors, const MbConvState& state, const float* dout, float* dh, float* dz1,
                     const MbConvGradients& gradients) {
  const ParallelScope scope(!state.mode.sum_all);
  Backward(shape, weights, x, tensors, state, dout, dh, dz1, gradients).run();
}

}  // namespace effnet::nn
