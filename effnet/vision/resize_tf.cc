// TensorFlow 1's resizers, in float32 as TensorFlow computes them.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {
namespace {

// Where output i lies among `in` inputs, in float32 as TensorFlow computes it.
struct Place {
  std::int64_t floor;
  float fraction;
};
Place tf_place(std::int64_t i, std::int64_t in, std::int64_t out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  const float position = static_cast<float>(i) * scale;
  const float floor = std::floor(position);
  return {static_cast<std::int64_t>(floor), position - floor};
}

struct TfTap {
  std::array<std::int64_t, 4> source;
  std::array<float, 4> weight;
};

// The cubic kernel at 0 <= x <= 1 (near) and at 1 + x (far).
float tf_cubic_near(double x) {
  constexpr double kA = -0.75;
  return static_cast<float>(((kA + 2) * x - (kA + 3)) * x * x + 1);
}
float tf_cubic_far(double x) {
  constexpr double kA = -0.75;
  const double far = x + 1;
  return static_cast<float>(((kA * far - 5 * kA) * far + 8 * kA) * far - 4 * kA);
}

std::vector<TfTap> tf_taps(std::int64_t in, std::int64_t out, std::int64_t from, std::int64_t count, Filter filter) {
  const auto clamped = [&](std::int64_t place) { return std::clamp<std::int64_t>(place, 0, in - 1); };
  std::vector<TfTap> taps;
  for (std::int64_t i = from; i < from + count; ++i) {
    const auto [floor, fraction] = tf_place(i, in, out);
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

// `read(k)` gives the tap's k-th value.
template <class Read>
float tf_mix(const TfTap& tap, Filter filter, Read read) {
  if (filter == Filter::tf_bilinear) {
    const float a = read(0);
    return a + (read(1) - a) * tap.weight[0];
  }
  return read(0) * tap.weight[0] + read(1) * tap.weight[1] + read(2) * tap.weight[2] + read(3) * tap.weight[3];
}

}  // namespace

FloatImage resize_tf(const Image& image, Size to, Filter filter, std::optional<Window> window) {
  EFFNET_CHECK(is_tf(filter) && image.h > 0 && image.w > 0);
  const Window part = checked_window(to, window);
  const std::vector<TfTap> down = tf_taps(image.h, to.h, part.top, part.size.h, filter);
  const std::vector<TfTap> along = tf_taps(image.w, to.w, part.left, part.size.w, filter);

  FloatImage result{part.size.h, part.size.w,
                    std::vector<float>(static_cast<std::size_t>(3 * part.size.h * part.size.w))};
  std::vector<float> row(static_cast<std::size_t>(3 * image.w));  // the source rows of one output row, mixed
  const auto first = static_cast<std::size_t>(3 * std::ranges::min(along.front().source));
  const auto last = static_cast<std::size_t>(3 * (std::ranges::max(along.back().source) + 1));
  float* to_pixel = result.rgb.data();
  for (const TfTap& y : down) {
    std::array<const std::uint8_t*, 4> source;
    for (std::size_t k = 0; k < 4; ++k) source[k] = image.rgb.data() + 3 * y.source[k] * image.w;
    for (std::size_t i = first; i < last; ++i) {
      row[i] = tf_mix(y, filter, [&](std::size_t k) { return static_cast<float>(source[k][i]); });
    }
    for (const TfTap& x : along) {
      for (std::int64_t c = 0; c < 3; ++c) {
        *to_pixel++ =
            tf_mix(x, filter, [&](std::size_t k) { return row[static_cast<std::size_t>(3 * x.source[k] + c)]; });
      }
    }
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
