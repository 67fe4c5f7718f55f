#include "effnet/nn/depthwise.h"

#include <algorithm>
#include <limits>

#include "effnet/nn/parallel.h"
#include "effnet/primitives/row_ring.h"

namespace effnet::nn {
namespace {

using primitives::RowRing;

constexpr std::int64_t kBandFloats = 24 * 1024 / 4;  // input rows of a band: most of 32 KB of L1

// [block][window][16] of [channels][window]; flipped: the last tap first.
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

// A ring of zeros, with a row of zeros behind its slots.
std::int64_t ring_floats(std::int64_t slots, std::int64_t row_floats) { return (slots + 1) * row_floats; }
RowRing zeroed_ring(float* memory, std::int64_t slots, std::int64_t row_floats) {
  std::fill_n(memory, ring_floats(slots, row_floats), 0.0F);
  return {memory, slots, row_floats, memory + slots * row_floats};
}

}  // namespace

std::int64_t band_rows(const DepthwiseShape& shape) {
  const std::int64_t rows = kBandFloats / (padded_width(shape) * kBlock);
  return std::clamp<std::int64_t>((rows - shape.kernel) / shape.stride + 1, 1, shape.out_h);
}

Moments moments_of(const DepthwiseShape& shape) {
  std::vector<std::int64_t> counts;
  const std::int64_t rows = band_rows(shape);
  for (std::int64_t image = 0; image < shape.images; ++image) {
    for (std::int64_t y = 0; y < shape.out_h; y += rows) {
      counts.push_back(std::min(rows, shape.out_h - y) * shape.out_w);
    }
  }
  return {std::move(counts), blocks_of(shape.channels)};
}

void depthwise_forward(const DepthwiseShape& shape, const float* weight, const MakeRow& make, float* y,
                       Moments& moments) {
  const std::int64_t k = shape.kernel, s = shape.stride, width = padded_width(shape), rows = band_rows(shape);
  const std::int64_t bands = (shape.out_h + rows - 1) / rows, slots = (rows - 1) * s + k;
  const std::vector<float> weights = packed(weight, shape.channels, k * k, false);
  const kernels::DepthwiseFn convolve = own_kernels().base.depthwise(k, s, false, kernels::Epilogue::clamp);
  alignas(64) static constexpr float kNoBias[kBlock] = {};
  parallel(shape.planes(), Way::from_last, [&](std::int64_t first, std::int64_t last) {
    const RowRing ring = zeroed_ring(scratch(ring_floats(slots, width * kBlock)), slots, width * kBlock);
    const float* window[7];
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
          convolve({window, weights.data() + block * k * k * kBlock, kNoBias, out + row * shape.out_w * kBlock,
                    shape.out_w, nullptr, -std::numeric_limits<float>::infinity(),
                    std::numeric_limits<float>::infinity()});
        }
        moments.take(image * bands + band, block, out + begin * shape.out_w * kBlock, (end - begin) * shape.out_w);
      }
    }
  });
}

void depthwise_backward(const DepthwiseShape& shape, const DepthwiseBackward& backward, float* dw) {
  const std::int64_t k = shape.kernel, s = shape.stride, width = padded_width(shape), rows = band_rows(shape);
  const std::int64_t slots = (rows - 1) * s + k + s, gradient_slots = rows + k;
  // With stride 1 the data gradient is a convolution with the turned kernel, else each gradient spreads over inputs.
  const std::int64_t before = s == 1 ? k - 1 - shape.left : k;
  const std::int64_t gradient_width = s == 1 ? std::max(shape.in_w + k - 1, before + shape.out_w) : shape.out_w + 2 * k;
  const std::vector<float> weights = packed(backward.weight, shape.channels, k * k, s == 1);
  const kernels::DepthwiseFn convolve = own_kernels().base.depthwise(k, 1, false, kernels::Epilogue::clamp);
  const kernels::DepthwiseSpreadFn spread = own_kernels().training.depthwise_spread(k);
  const kernels::DepthwiseWeightFn sum_weights = own_kernels().training.depthwise_weight(k, s);
  alignas(64) static constexpr float kNoBias[kBlock] = {};
  const std::int64_t plane_weights = k * k * kBlock;
  std::vector<float> partial(static_cast<std::size_t>(shape.planes() * plane_weights));
  parallel(shape.planes(), Way::from_last, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t input_floats = ring_floats(slots, width * kBlock);
    const std::int64_t slope_floats = ring_floats(slots, shape.in_w * kBlock);
    const std::int64_t gradient_floats = ring_floats(gradient_slots, gradient_width * kBlock);
    float* const memory = scratch(input_floats + slope_floats + gradient_floats + shape.in_w * kBlock);
    const RowRing input = zeroed_ring(memory, slots, width * kBlock);
    const RowRing slopes = zeroed_ring(memory + input_floats, slots, shape.in_w * kBlock);
    const RowRing gradient = zeroed_ring(memory + input_floats + slope_floats, gradient_slots, gradient_width * kBlock);
    float* const result = memory + input_floats + slope_floats + gradient_floats;
    std::vector<const float*> input_rows(static_cast<std::size_t>(slots));
    std::vector<const float*> gradient_rows(static_cast<std::size_t>(rows));
    for (std::int64_t task = last; task-- > first;) {
      const std::int64_t plane = plane_of(task, blocks_of(shape.channels), shape.images);
      const float* const weight = weights.data() + plane / shape.images * plane_weights;
      std::int64_t made = 0, taken = 0;
      for (std::int64_t begin = 0; begin < shape.out_h; begin += rows) {
        const std::int64_t end = std::min(begin + rows, shape.out_h);
        const bool whole = end == shape.out_h;
        const std::int64_t need = whole ? shape.in_h : std::min((end - 1) * s - shape.top + k, shape.in_h);
        for (; made < need; ++made) {
          backward.make_input(plane, made, input.slot(made) + shape.left * kBlock, slopes.slot(made));
        }
        for (std::int64_t row = begin; row < end; ++row) {
          backward.make_gradient(plane, row, gradient.slot(row) + before * kBlock);
          gradient_rows[static_cast<std::size_t>(row - begin)] = gradient.slot(row) + before * kBlock;
        }
        for (std::int64_t i = 0; i < (end - begin - 1) * s + k; ++i) {
          input_rows[static_cast<std::size_t>(i)] = input.row(begin * s - shape.top + i, shape.in_h);
        }
        sum_weights({input_rows.data(), gradient_rows.data(), kBlock, shape.out_w, end - begin,
                     partial.data() + plane * plane_weights});
        const std::int64_t done = whole ? shape.in_h : std::min(end * s - shape.top, shape.in_h);
        for (; taken < done; ++taken) {
          const float* window[7];
          if (s == 1) {
            for (std::int64_t t = 0; t < k; ++t) window[t] = gradient.row(taken + shape.top - (k - 1) + t, shape.out_h);
            convolve({window, weight, kNoBias, result, shape.in_w, nullptr, -std::numeric_limits<float>::infinity(),
                      std::numeric_limits<float>::infinity()});
          } else {
            std::int32_t places[7];
            std::int64_t count = 0;
            for (std::int64_t ky = (taken + shape.top) % s; ky < k; ky += s) {
              const std::int64_t row = (taken + shape.top - ky) / s;
              if (taken + shape.top < ky || row >= shape.out_h) continue;
              window[count] = gradient.slot(row) + before * kBlock;
              places[count++] = static_cast<std::int32_t>(ky);
            }
            spread({window, places, count, weight, shape.left, shape.in_w, result});
          }
          backward.take_row(plane, taken, result, slopes.slot(taken));
        }
      }
    }
  });
  parallel(blocks_of(shape.channels), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first * k * k; i < last * k * k; ++i) {
      const std::int64_t block = i / (k * k), tap = i % (k * k);
      double sums[kBlock] = {};
      for (std::int64_t image = 0; image < shape.images; ++image) {
        const float* const part = partial.data() + (block * shape.images + image) * plane_weights + tap * kBlock;
        for (std::int64_t lane = 0; lane < kBlock; ++lane) sums[lane] += part[lane];
      }
      for (std::int64_t lane = 0; lane < std::min(kBlock, shape.channels - block * kBlock); ++lane) {
        dw[(block * kBlock + lane) * k * k + tap] = static_cast<float>(sums[lane]);
      }
    }
  });
}

}  // namespace effnet::nn
