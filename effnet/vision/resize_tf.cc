// TensorFlow 1's resizers, in float32 as TensorFlow computes them.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {
namespace {

// The range of input positions that all outputs of an axis cover.
struct Span {
  float begin, length;
};

// The position of an output among the inputs, computed in float32 as in TensorFlow.
struct Position {
  std::int64_t floor;
  float fraction;
};
Position tf_position(std::int64_t i, const Span& in, std::int64_t out) {
  const float scale = in.length / static_cast<float>(out);
  const float position = in.begin + static_cast<float>(i) * scale;
  const float floor = std::floor(position);
  return {static_cast<std::int64_t>(floor), position - floor};
}

// The inputs of one output. Bilinear: sources 0 and 1, and the fraction as weight 0; the other elements are not used.
struct TfTap {
  std::array<std::int64_t, 4> source;
  std::array<float, 4> weight;
};

// The cubic kernel at x (near) and at 1 + x (far), for 0 <= x <= 1.
float tf_cubic_near(double x) {
  constexpr double kA = -0.75;
  return static_cast<float>(((kA + 2) * x - (kA + 3)) * x * x + 1);
}
float tf_cubic_far(double x) {
  constexpr double kA = -0.75;
  const double far = x + 1;
  return static_cast<float>(((kA * far - 5 * kA) * far + 8 * kA) * far - 4 * kA);
}

std::vector<TfTap> tf_taps(std::int64_t in, const Span& covered, std::int64_t out, std::int64_t from,
                           std::int64_t count, Filter filter) {
  const auto clamped = [&](std::int64_t at) { return std::clamp<std::int64_t>(at, 0, in - 1); };
  std::vector<TfTap> taps;
  for (std::int64_t i = from; i < from + count; ++i) {
    const auto [floor, fraction] = tf_position(i, covered, out);
    if (filter == Filter::tf_bilinear) {
      taps.push_back({{clamped(floor), clamped(floor + 1), clamped(floor), clamped(floor)}, {fraction, 0, 0, 0}});
    } else {
      const double x = std::nearbyint(fraction * 1024.0F) / 1024.0;
      taps.push_back({{clamped(floor - 1), clamped(floor), clamped(floor + 1), clamped(floor + 2)},
                      {tf_cubic_far(x), tf_cubic_near(x), tf_cubic_near(1 - x), tf_cubic_far(1 - x)}});
    }
  }
  return taps;
}

// Interpolates between from[0][i], from[1][i], ...: from[k] points to the values of the tap's k-th source pixel or row,
// and `i` is the index of the value in it.
template <class Value>
float tf_interpolate(const TfTap& tap, bool bilinear, const std::array<const Value*, 4>& from, std::size_t i) {
  const auto value = [&](std::size_t k) { return static_cast<float>(from[k][i]); };
  if (bilinear) return value(0) + (value(1) - value(0)) * tap.weight[0];
  return value(0) * tap.weight[0] + value(1) * tap.weight[1] + value(2) * tap.weight[2] + value(3) * tap.weight[3];
}

template <class Value>
std::array<const Value*, 4> sources(const TfTap& tap, const Value* begin, std::int64_t step) {
  return {begin + step * tap.source[0], begin + step * tap.source[1], begin + step * tap.source[2],
          begin + step * tap.source[3]};
}

}  // namespace

FloatImage resize_tf(const Image& image, Size to, Filter filter, std::optional<Window> window, std::optional<Box> box) {
  EFFNET_CHECK(is_tf(filter) && image.h > 0 && image.w > 0);
  const Window part = checked_window(to, window);
  const Box covered = box.value_or(Box{0, 0, static_cast<double>(image.w), static_cast<double>(image.h)});
  const Span rows{static_cast<float>(covered.y0), static_cast<float>(covered.y1 - covered.y0)};
  const Span columns{static_cast<float>(covered.x0), static_cast<float>(covered.x1 - covered.x0)};
  const std::vector<TfTap> down = tf_taps(image.h, rows, to.h, part.top, part.size.h, filter);
  const std::vector<TfTap> along = tf_taps(image.w, columns, to.w, part.left, part.size.w, filter);

  const bool bilinear = filter == Filter::tf_bilinear;
  const auto first = static_cast<std::size_t>(3 * std::ranges::min(along.front().source));
  const auto last = static_cast<std::size_t>(3 * (std::ranges::max(along.back().source) + 1));
  FloatImage result{part.size.h, part.size.w,
                    std::vector<float>(static_cast<std::size_t>(3 * part.size.h * part.size.w))};
  std::vector<float> row(static_cast<std::size_t>(3 * image.w) + 1);  // an output row before the pass along x
  std::vector<float> line(static_cast<std::size_t>(3 * part.size.w) + 1);
  auto to_line = result.rgb.begin();
  for (const TfTap& y : down) {
    const auto rows_of = sources(y, image.rgb.data(), 3 * image.w);
    for (std::size_t i = first; i < last; ++i) row[i] = tf_interpolate(y, bilinear, rows_of, i);
    // Four values at a time make a vector. The fourth value belongs to the next pixel, which overwrites it.
    float* pixel = line.data();
    for (const TfTap& x : along) {
      const auto pixels = sources(x, std::as_const(row).data(), 3);
      std::array<float, 4> values;
      for (std::size_t c = 0; c < 4; ++c) values[c] = tf_interpolate(x, bilinear, pixels, c);
      std::ranges::copy(values, pixel);
      pixel += 3;
    }
    to_line = std::copy(line.begin(), line.end() - 1, to_line);
  }
  return result;
}

Image rounded(const FloatImage& image) {
  Image result = blank({image.h, image.w});
  std::ranges::transform(image.rgb, result.rgb.begin(), [](float value) {
    return static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0F, 255.0F));
  });
  return result;
}

}  // namespace effnet::vision
