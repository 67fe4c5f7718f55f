#include "effnet/layers/depthwise.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/primitives/activation.h"
#include "effnet/primitives/row_ring.h"

namespace effnet::layers {
namespace {

using primitives::RowRing;

constexpr std::int64_t kBandFloats = 24 * 1024 / 4;  // a band's input rows: 24 KB of the 32 KB of L1
constexpr std::int64_t kLargest = 7;                 // largest kernel
constexpr primitives::EpilogueParams kNoActivation{};
alignas(64) constexpr float kNoBias[kBlock] = {};

void check(const DepthwiseShape& shape) {
  const bool known =
      (shape.kernel == 3 || shape.kernel == 5 || shape.kernel == kLargest) && (shape.stride == 1 || shape.stride == 2);
  const bool padded = shape.top >= 0 && shape.left >= 0 && shape.top < shape.kernel && shape.left < shape.kernel;
  if (known && padded && std::min({shape.planes(), shape.in_h, shape.in_w, shape.out_h, shape.out_w}) > 0) return;
  throw internal_error(
      "invalid depthwise convolution shape (got {} images, {} channels, input {}x{}, output {}x{}, kernel {}, "
      "stride {}, padding top {} and left {}, expected positive sizes, kernel 3, 5 or 7, stride 1 or 2, padding at "
      "least 0 and smaller than the kernel)",
      shape.images, shape.channels, shape.in_h, shape.in_w, shape.out_h, shape.out_w, shape.kernel, shape.stride,
      shape.top, shape.left);
}

// Packs weights [channels][window] into [block][window][16]. `flipped` reverses the order of the taps.
std::vector<float> packed(const float* weight, std::int64_t channels, std::int64_t window, bool flipped) {
  std::vector<float> result(static_cast<std::size_t>(padded(channels) * window));
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t tap = 0; tap < window; ++tap) {
      const std::int64_t from = flipped ? window - 1 - tap : tap;
      result[static_cast<std::size_t>((c / kBlock * window + tap) * kBlock + c % kBlock)] = weight[c * window + from];
    }
  }
  return result;
}

std::int64_t padded_width(const DepthwiseShape& shape) {
  return std::max((shape.out_w - 1) * shape.stride + shape.kernel, shape.left + shape.in_w);
}

std::int64_t band_rows(const DepthwiseShape& shape) {  // number of output rows per band
  const std::int64_t rows = kBandFloats / (padded_width(shape) * kBlock);
  return std::clamp<std::int64_t>((rows - shape.kernel) / shape.stride + 1, 1, shape.out_h);
}

// A row ring filled with zeros. After its slots there is one more row of zeros, which the ring returns for rows outside
// the image.
std::int64_t ring_floats(std::int64_t slots, std::int64_t row_floats) { return (slots + 1) * row_floats; }
RowRing zeroed_ring(float* memory, std::int64_t slots, std::int64_t row_floats) {
  std::fill_n(memory, ring_floats(slots, row_floats), 0.0F);
  return {memory, slots, row_floats, memory + slots * row_floats};
}

}  // namespace

primitives::ChannelMoments moments_of(const DepthwiseShape& shape) {
  std::vector<std::int64_t> counts;
  const std::int64_t rows = band_rows(shape);
  for (std::int64_t image = 0; image < shape.images; ++image) {
    for (std::int64_t y = 0; y < shape.out_h; y += rows) {
      counts.push_back(std::min(rows, shape.out_h - y) * shape.out_w);
    }
  }
  return {std::move(counts), shape.channels};
}

void depthwise_forward(const Context& context, const DepthwiseShape& shape, const float* weight, const MakeRow& make,
                       float* y, primitives::ChannelMoments& moments) {
  check(shape);
  const std::int64_t k = shape.kernel, s = shape.stride, width = padded_width(shape), rows = band_rows(shape);
  const std::int64_t bands = (shape.out_h + rows - 1) / rows, slots = (rows - 1) * s + k;
  const std::vector<float> weights = packed(weight, shape.channels, k * k, false);
  const kernels::DepthwiseFn convolve = context.kernels.base.depthwise(k, s, false, kernels::Epilogue::clamp);
  context.loops.parallel(
      shape.planes(), LoopOrder::reverse, [&](std::int64_t first, std::int64_t last, Scratch& scratch) {
        const RowRing ring = zeroed_ring(scratch.floats(ring_floats(slots, width * kBlock)), slots, width * kBlock);
        const float* window[kLargest];
        for (std::int64_t task = last; task-- > first;) {
          const std::int64_t plane = plane_of(task, blocks_of(shape.channels), shape.images);
          const std::int64_t block = plane / shape.images, image = plane % shape.images;
          float* const out = y + plane * shape.out_h * shape.out_w * kBlock;
          std::int64_t made = 0;
          for (std::int64_t band = 0; band < bands; ++band) {
            const std::int64_t begin = band * rows, end = std::min(begin + rows, shape.out_h);
            const std::int64_t need = std::min((end - 1) * s - shape.top + k, shape.in_h);
            made = std::max(made, begin * s - shape.top);
            for (; made < need; ++made) make(plane, made, ring.slot(made) + shape.left * kBlock);
            for (std::int64_t row = begin; row < end; ++row) {
              for (std::int64_t ky = 0; ky < k; ++ky) window[ky] = ring.row(row * s - shape.top + ky, shape.in_h);
              convolve({.rows = window,
                        .weight = weights.data() + block * k * k * kBlock,
                        .bias = kNoBias,
                        .out = out + row * shape.out_w * kBlock,
                        .width = shape.out_w,
                        .sums = nullptr,
                        .low = kNoActivation.low,
                        .high = kNoActivation.high});
            }
            moments.take(context.kernels.training, image * bands + band, block, out + begin * shape.out_w * kBlock,
                         (end - begin) * shape.out_w);
          }
        }
      });
}

namespace {

// Backward pass of planes. For each band it fills rings of input rows, of their derivatives and of gradient rows, then
// computes the weight gradient, and the data gradient of those input rows for which all gradient rows are available.
class BackwardPlanes {
 public:
  BackwardPlanes(const Kernels& kernels, const DepthwiseShape& shape, const DepthwiseBackward& backward)
      : shape_(shape),
        backward_(backward),
        // With stride 1 the data gradient is a convolution with the flipped kernel. With stride 2 a separate kernel
        // computes it, from unflipped weights.
        weights_(packed(backward.weight, shape.channels, shape.kernel * shape.kernel, shape.stride == 1)),
        convolve_(kernels.base.depthwise(shape.kernel, 1, false, kernels::Epilogue::clamp)),
        data_gradient_(kernels.training.depthwise_data_gradient(shape.kernel)),
        sum_weights_(kernels.training.depthwise_weight(shape.kernel, shape.stride)),
        partial_(static_cast<std::size_t>(shape.planes() * plane_weights())) {}

  std::int64_t plane_weights() const { return k * k * kBlock; }
  // The weight gradient of each plane: [plane][tap][16].
  const std::vector<float>& partial() const { return partial_; }

  // Processes tasks [first, last), in descending order. May be called from several threads for disjoint ranges.
  void run(std::int64_t first, std::int64_t last, Scratch& scratch) {
    const std::int64_t width = padded_width(shape_) * kBlock, gradient_width = gradient_columns() * kBlock;
    const std::int64_t input_floats = ring_floats(slots, width), derivative_floats = ring_floats(slots, in_row());
    const std::int64_t gradient_floats = ring_floats(gradient_slots, gradient_width);
    float* const memory = scratch.floats(input_floats + derivative_floats + gradient_floats + in_row());
    const Rings rings{zeroed_ring(memory, slots, width), zeroed_ring(memory + input_floats, slots, in_row()),
                      zeroed_ring(memory + input_floats + derivative_floats, gradient_slots, gradient_width)};
    float* const result = memory + input_floats + derivative_floats + gradient_floats;
    for (std::int64_t task = last; task-- > first;) {
      plane(plane_of(task, blocks_of(shape_.channels), shape_.images), rings, result);
    }
  }

 private:
  struct Rings {
    RowRing input, derivatives, gradient;
  };
  std::int64_t in_row() const { return shape_.in_w * kBlock; }
  std::int64_t gradient_columns() const {
    return s == 1 ? std::max(shape_.in_w + k - 1, before + shape_.out_w) : shape_.out_w + 2 * k;
  }

  void plane(std::int64_t plane, const Rings& rings, float* result) {
    std::vector<const float*> input_rows(static_cast<std::size_t>(slots));
    std::vector<const float*> gradient_rows(static_cast<std::size_t>(rows));
    std::int64_t made = 0, taken = 0;
    for (std::int64_t begin = 0; begin < shape_.out_h; begin += rows) {
      const std::int64_t end = std::min(begin + rows, shape_.out_h);
      const bool is_last = end == shape_.out_h;
      const std::int64_t need = is_last ? shape_.in_h : std::min((end - 1) * s - shape_.top + k, shape_.in_h);
      for (; made < need; ++made) {
        backward_.make_input(plane, made, rings.input.slot(made) + shape_.left * kBlock, rings.derivatives.slot(made));
      }
      for (std::int64_t row = begin; row < end; ++row) {
        float* const to = rings.gradient.slot(row) + before * kBlock;
        backward_.make_gradient(plane, row, to);
        gradient_rows[static_cast<std::size_t>(row - begin)] = to;
      }
      for (std::int64_t i = 0; i < (end - begin - 1) * s + k; ++i) {
        input_rows[static_cast<std::size_t>(i)] = rings.input.row(begin * s - shape_.top + i, shape_.in_h);
      }
      sum_weights_({.rows = input_rows.data(),
                    .d = gradient_rows.data(),
                    .d_step = kBlock,
                    .width = shape_.out_w,
                    .height = end - begin,
                    .to = partial_.data() + plane * plane_weights()});
      const std::int64_t done = is_last ? shape_.in_h : std::min(end * s - shape_.top, shape_.in_h);
      for (; taken < done; ++taken) {
        input_gradient(plane, taken, rings.gradient, result);
        backward_.take_row(plane, taken, result, rings.derivatives.slot(taken));
      }
    }
  }

  // Writes the gradient of an input row to `result`.
  void input_gradient(std::int64_t plane, std::int64_t row, const RowRing& gradient, float* result) const {
    const float* const weight = weights_.data() + plane / shape_.images * plane_weights();
    const float* window[kLargest];
    if (s == 1) {
      for (std::int64_t t = 0; t < k; ++t) window[t] = gradient.row(row + shape_.top - (k - 1) + t, shape_.out_h);
      convolve_({.rows = window,
                 .weight = weight,
                 .bias = kNoBias,
                 .out = result,
                 .width = shape_.in_w,
                 .sums = nullptr,
                 .low = kNoActivation.low,
                 .high = kNoActivation.high});
      return;
    }
    std::int32_t window_rows[kLargest];
    std::int64_t count = 0;
    for (std::int64_t ky = (row + shape_.top) % s; ky < k; ky += s) {
      const std::int64_t from = (row + shape_.top - ky) / s;
      if (row + shape_.top < ky || from >= shape_.out_h) continue;
      window[count] = gradient.slot(from) + before * kBlock;
      window_rows[count++] = static_cast<std::int32_t>(ky);
    }
    data_gradient_({.rows = window,
                    .window = window_rows,
                    .count = count,
                    .weight = weight,
                    .left = shape_.left,
                    .width = shape_.in_w,
                    .out = result});
  }

  const DepthwiseShape& shape_;
  const DepthwiseBackward& backward_;
  const std::int64_t k = shape_.kernel, s = shape_.stride, rows = band_rows(shape_);
  const std::int64_t slots = (rows - 1) * s + k + s, gradient_slots = rows + k;
  const std::int64_t before = s == 1 ? k - 1 - shape_.left : k;  // zero pixels to the left of a gradient row
  const std::vector<float> weights_;
  const kernels::DepthwiseFn convolve_;
  const kernels::DepthwiseDataGradientFn data_gradient_;
  const kernels::DepthwiseWeightFn sum_weights_;
  std::vector<float> partial_;
};

}  // namespace

void depthwise_backward(const Context& context, const DepthwiseShape& shape, const DepthwiseBackward& backward,
                        float* dw) {
  check(shape);
  BackwardPlanes planes(context.kernels, shape, backward);
  context.loops.parallel(
      shape.planes(), LoopOrder::reverse,
      [&](std::int64_t first, std::int64_t last, Scratch& scratch) { planes.run(first, last, scratch); });
  const std::int64_t window = shape.kernel * shape.kernel;
  context.loops.parallel(blocks_of(shape.channels), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first * window; i < last * window; ++i) {
      const std::int64_t block = i / window, tap = i % window;
      double sums[kBlock] = {};
      for (std::int64_t image = 0; image < shape.images; ++image) {
        const std::int64_t plane = block * shape.images + image;
        const float* const part = planes.partial().data() + plane * planes.plane_weights() + tap * kBlock;
        for (std::int64_t lane = 0; lane < kBlock; ++lane) sums[lane] += part[lane];
      }
      for (std::int64_t lane = 0; lane < std::min(kBlock, shape.channels - block * kBlock); ++lane) {
        dw[(block * kBlock + lane) * window + tap] = static_cast<float>(sums[lane]);
      }
    }
  });
}

}  // namespace effnet::layers
