// Pools and elementwise kernels, written once for all instruction sets.
#pragma once

#include "effnet/kernels/epilogue-inl.h"
#include "effnet/kernels/winograd-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

inline std::int64_t within(std::int64_t value, std::int64_t low, std::int64_t high) {
  return value < low ? low : value > high ? high : value;
}

struct Range {
  std::int64_t first, last;
  std::int64_t size() const { return last > first ? last - first : 0; }
};
// Returns which taps (positions) of a window are inside [0, n) if the window begins at `at`, which may be negative.
inline Range taps_inside(std::int64_t at, std::int64_t kernel, std::int64_t n) {
  return {within(-at, 0, kernel), within(n - at, 0, kernel)};
}

// For each window of a row: combines `start` and the window's values inside the image with `combine`, then stores
// result_of(combined, number of values inside the image).
template <class Combine, class ResultOf>
inline void pool_row(const PoolArgs& args, float start, Combine combine, ResultOf result_of) {
  const Range rows = taps_inside(args.top, args.kernel, args.in_h);
  for (std::int64_t x = 0; x < args.out_w; ++x) {
    const std::int64_t left = args.left + x * args.stride;
    const Range columns = taps_inside(left, args.kernel, args.in_w);
    Wide result = broadcast<Wide>(start);
    for (std::int64_t ky = rows.first; ky < rows.last; ++ky) {
      const float* const in = args.in + ((args.top + ky) * args.in_w + left) * kBlock;
      for (std::int64_t kx = columns.first; kx < columns.last; ++kx) {
        result = combine(result, load<Wide>(in + kx * kBlock));
      }
    }
    store(args.out + x * kBlock, result_of(result, rows.size() * columns.size()));
  }
}

void max_pool_row(const PoolArgs& args) noexcept {
  pool_row(
      args, -__builtin_inff(), [](Wide most, Wide value) { return larger(value, most); },
      [](Wide most, std::int64_t) { return most; });
}

void average_pool_row(const PoolArgs& args) noexcept {
  pool_row(
      args, 0.0F, [](Wide sum, Wide value) { return add(sum, value); },
      [&](Wide sum, std::int64_t taps) {
        const std::int64_t count = args.count_padding ? args.kernel * args.kernel : taps;
        return div(sum, broadcast<Wide>(static_cast<float>(count)));
      });
}

template <Epilogue E>
void depthwise_any(const DepthwiseArgs& args, std::int64_t kernel, std::int64_t stride) noexcept {
  Wide total = args.sums != nullptr ? load<Wide>(args.sums) : broadcast<Wide>(0);
  for (std::int64_t x = 0; x < args.width; ++x) {
    Wide sum = load<Wide>(args.bias);
    for (std::int64_t tap = 0; tap < kernel * kernel; ++tap) {
      const float* const in = args.rows[tap / kernel] + (x * stride + tap % kernel) * kBlock;
      sum = fma(load<Wide>(in), load<Wide>(args.weight + tap * kBlock), sum);
    }
    const Wide value = apply_epilogue<E>(sum, broadcast<Wide>(args.low), broadcast<Wide>(args.high));
    total = add(total, value);
    store(args.out + x * kBlock, value);
  }
  if (args.sums != nullptr) store(args.sums, total);
}

template <class Function>
[[gnu::always_inline]] inline void map_pixels(const MapArgs& args, Function function) {
  const Wide scale = args.scale != nullptr ? load<Wide>(args.scale) : broadcast<Wide>(1);
  const Wide shift = args.shift != nullptr ? load<Wide>(args.shift) : broadcast<Wide>(0);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    Wide value = fma(load<Wide>(args.a + i), scale, shift);
    if (args.b != nullptr) value = add(value, load<Wide>(args.b + i));
    store(args.out + i, function(value));
  }
}

template <Epilogue E>
void map_block(const MapArgs& args) noexcept {
  const Wide low = broadcast<Wide>(args.low), high = broadcast<Wide>(args.high);
  map_pixels(args, [&](Wide value) { return apply_epilogue<E>(value, low, high); });
}

void sigmoid_block(const MapArgs& args) noexcept {
  map_pixels(args, [](Wide value) {
    // one_plus_exp_of_minus() returns a finite number for NaN, so the numerator must carry the NaN: bounded * 0 + 1 is
    // NaN if the value is NaN, otherwise 1. The value is bounded first, because Inf * 0 would also be NaN.
    const Wide bounded = at_most(at_least(value, broadcast<Wide>(-1)), broadcast<Wide>(1));
    return div(fma(bounded, broadcast<Wide>(0), broadcast<Wide>(1)), one_plus_exp_of_minus(value));
  });
}

void sum_block(const float* in, std::int64_t pixels, float* sums) noexcept {
  Wide total = load<Wide>(sums);
  for (std::int64_t p = 0; p < pixels; ++p) total = add(total, load<Wide>(in + p * kBlock));
  store(sums, total);
}

void scale_rows(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to) noexcept {
  for (std::int64_t k = 0; k < depth; ++k, from += lanes, to += lanes) {
    std::int64_t n = 0;
    for (; n + 16 <= lanes; n += 16) store(to + n, mul(load<Wide>(from + n), broadcast<Wide>(scale[k])));
    if (n < lanes) store(to + n, mul(load<Half>(from + n), broadcast<Half>(scale[k])));
  }
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
