// Pooling and zero padding, plane by plane.
#include <algorithm>
#include <cmath>
#include <limits>

#include "effnet/engine/reference/ops.h"

namespace effnet::engine::reference {
namespace {

// The input pixels [top, bottom) x [left, right) in the window of output (y, x).
struct Window {
  std::int64_t top, bottom, left, right;
};
Window window_at(const PoolShape& shape, std::int64_t y, std::int64_t x) {
  const std::int64_t top = y * shape.stride - shape.padding.top;
  const std::int64_t left = x * shape.stride - shape.padding.left;
  return {std::max<std::int64_t>(top, 0), std::min(top + shape.kernel, shape.in.h), std::max<std::int64_t>(left, 0),
          std::min(left + shape.kernel, shape.in.w)};
}

// output(y, x) = value(plane, window)
template <class Value>
void pool_planes(const PoolShape& shape, std::span<const float> in, std::span<float> out, std::int64_t begin,
                 std::int64_t end, Value value) {
  for (std::int64_t task = begin; task < end; ++task) {
    const float* const plane = in.data() + task * shape.in.pixels();
    float* to = out.data() + task * shape.out.pixels();
    for (std::int64_t y = 0; y < shape.out.h; ++y) {
      for (std::int64_t x = 0; x < shape.out.w; ++x) *to++ = value(plane, window_at(shape, y, x));
    }
  }
}

}  // namespace

void max_pool(const PoolShape& shape, std::span<const float> in, std::span<float> out, std::int64_t begin,
              std::int64_t end) noexcept {
  pool_planes(shape, in, out, begin, end, [&](const float* plane, const Window& window) {
    float most = -std::numeric_limits<float>::infinity();
    for (std::int64_t y = window.top; y < window.bottom; ++y) {
      for (std::int64_t x = window.left; x < window.right; ++x) {
        const float value = plane[y * shape.in.w + x];
        if (value > most || std::isnan(value)) most = value;
      }
    }
    return most;
  });
}

template <class Acc>
void average_pool(const PoolShape& shape, std::span<const float> in, std::span<float> out, std::int64_t begin,
                  std::int64_t end) noexcept {
  pool_planes(shape, in, out, begin, end, [&](const float* plane, const Window& window) {
    Acc sum = 0;
    for (std::int64_t y = window.top; y < window.bottom; ++y) {
      for (std::int64_t x = window.left; x < window.right; ++x) sum += plane[y * shape.in.w + x];
    }
    const std::int64_t count =
        shape.count_padding ? shape.kernel * shape.kernel : (window.bottom - window.top) * (window.right - window.left);
    return static_cast<float>(sum / static_cast<Acc>(count));
  });
}

template <class Acc>
void global_pool(std::int64_t pixels, std::span<const float> in, std::span<float> out, std::int64_t begin,
                 std::int64_t end) noexcept {
  constexpr std::int64_t kSums = 8;
  for (std::int64_t task = begin; task < end; ++task) {
    const float* const plane = in.data() + task * pixels;
    Acc sums[kSums] = {};
    std::int64_t p = 0;
    for (; p + kSums <= pixels; p += kSums) {
      for (std::int64_t j = 0; j < kSums; ++j) sums[j] += plane[p + j];
    }
    for (std::int64_t j = 0; p + j < pixels; ++j) sums[j] += plane[p + j];
    for (std::int64_t half = kSums / 2; half > 0; half /= 2) {
      for (std::int64_t j = 0; j < half; ++j) sums[j] += sums[j + half];
    }
    out[static_cast<std::size_t>(task)] = static_cast<float>(sums[0] / static_cast<Acc>(pixels));
  }
}

void pad(const Chw& in_shape, const Chw& out_shape, const graph::Pad& amounts, std::span<const float> in,
         std::span<float> out, std::int64_t begin, std::int64_t end) noexcept {
  // The output columns [first, last) are inside the input.
  const std::int64_t first = std::clamp<std::int64_t>(amounts.left, 0, out_shape.w);
  const std::int64_t last = std::clamp(amounts.left + in_shape.w, first, out_shape.w);
  for (std::int64_t task = begin; task < end; ++task) {
    for (std::int64_t y = 0; y < out_shape.h; ++y) {
      float* const to = out.data() + task * out_shape.pixels() + y * out_shape.w;
      const std::int64_t row = y - amounts.top;
      if (row < 0 || row >= in_shape.h || first == last) {
        std::fill(to, to + out_shape.w, 0.0F);
        continue;
      }
      const float* const from = in.data() + task * in_shape.pixels() + row * in_shape.w + (first - amounts.left);
      std::fill(to, to + first, 0.0F);
      std::copy(from, from + (last - first), to + first);
      std::fill(to + last, to + out_shape.w, 0.0F);
    }
  }
}

template void average_pool<float>(const PoolShape&, std::span<const float>, std::span<float>, std::int64_t,
                                  std::int64_t) noexcept;
template void average_pool<double>(const PoolShape&, std::span<const float>, std::span<float>, std::int64_t,
                                   std::int64_t) noexcept;
template void global_pool<float>(std::int64_t, std::span<const float>, std::span<float>, std::int64_t,
                                 std::int64_t) noexcept;
template void global_pool<double>(std::int64_t, std::span<const float>, std::span<float>, std::int64_t,
                                  std::int64_t) noexcept;

}  // namespace effnet::engine::reference
