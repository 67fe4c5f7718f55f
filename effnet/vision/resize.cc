#include "effnet/vision/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

// Weights are integer multiples of 2^-22. A weighted sum has 32 bits: 22 for the weights, 8 for the pixels and 2
// because the sum can exceed the range of a pixel.
constexpr int kWeightBits = 32 - 8 - 2;

double box_kernel(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }
double bilinear_kernel(double x) { return std::max(1 - std::abs(x), 0.0); }
double bicubic_kernel(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}
double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}
double lanczos_kernel(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

struct Kernel {
  double (*value)(double);
  double support;
};
constexpr std::array<Kernel, 4> kKernels{{
    // in the order of Filter
    {box_kernel, 0.5},
    {bilinear_kernel, 1},
    {bicubic_kernel, 2},
    {lanczos_kernel, 3},
}};

// The inputs of one output pixel: `count` pixels from `first` on, with the weights from `weights[begin]` on.
struct Tap {
  std::int64_t first, count;
  std::size_t begin;
};
struct Taps {
  std::vector<Tap> pixels;
  std::vector<std::int32_t> weights;
  // The range of all inputs, [first, last).
  std::int64_t first() const { return pixels.front().first; }
  std::int64_t last() const { return pixels.back().first + pixels.back().count; }
};

// Returns the taps of the outputs [from, from + count). All `out` outputs together cover [begin, end) of the `in` input
// pixels. As in Pillow, `begin`, `end` and their difference are float; the rest is double.
Taps make_taps(std::int64_t in, float begin, float end, std::int64_t out, std::int64_t from, std::int64_t count,
               const Kernel& kernel) {
  const double scale = static_cast<double>(end - begin) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);
  const double support = kernel.support * stretch;
  const double shrink = 1.0 / stretch;
  Taps taps;
  taps.pixels.reserve(static_cast<std::size_t>(count));
  std::vector<double> values;
  for (std::int64_t i = from; i < from + count; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    // NOLINTBEGIN(bugprone-incorrect-roundings): Pillow rounds in this way, by truncation
    const auto first = std::max(static_cast<std::int64_t>(centre - support + 0.5), std::int64_t{0});
    const auto last = std::min(static_cast<std::int64_t>(centre + support + 0.5), in);
    // NOLINTEND(bugprone-incorrect-roundings)
    values.clear();
    double sum = 0;
    for (std::int64_t x = first; x < last; ++x) {
      values.push_back(kernel.value((static_cast<double>(x) - centre + 0.5) * shrink));
      sum += values.back();
    }
    taps.pixels.push_back({first, last - first, taps.weights.size()});
    for (double value : values) {
      if (sum != 0) value /= sum;
      const double exact = value * (1 << kWeightBits);
      taps.weights.push_back(static_cast<std::int32_t>(exact < 0 ? exact - 0.5 : exact + 0.5));
    }
  }
  return taps;
}

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

std::uint8_t to_byte(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255)); }

// Resamples the rows [first_row, first_row + rows) of `image` along x. The other rows are not read.
Image resample_rows(const Image& image, const Taps& taps, std::int64_t first_row, std::int64_t rows) {
  Image result = blank({rows, static_cast<std::int64_t>(taps.pixels.size())});
  std::uint8_t* to = result.rgb.data();
  for (std::int64_t y = 0; y < rows; ++y) {
    const std::uint8_t* row = image.rgb.data() + 3 * (first_row + y) * image.w;
    for (const Tap& tap : taps.pixels) {
      const std::uint8_t* from = row + 3 * tap.first;
      const std::int32_t* weight = taps.weights.data() + tap.begin;
      std::int32_t red = kHalf, green = kHalf, blue = kHalf;
      for (std::int64_t k = 0; k < tap.count; ++k, from += 3) {
        red += from[0] * weight[k];
        green += from[1] * weight[k];
        blue += from[2] * weight[k];
      }
      *to++ = to_byte(red);
      *to++ = to_byte(green);
      *to++ = to_byte(blue);
    }
  }
  return result;
}

// Resamples along y. `image` begins with row first_row of the taps' inputs. Blocks have a fixed width, so that
// compilers vectorise them.
Image resample_columns(const Image& image, const Taps& taps, std::int64_t first_row) {
  constexpr std::int64_t kBlock = 64;
  Image result = blank({static_cast<std::int64_t>(taps.pixels.size()), image.w});
  const std::int64_t width = 3 * image.w;
  std::array<std::int32_t, kBlock> sums;
  std::uint8_t* to = result.rgb.data();
  for (const Tap& tap : taps.pixels) {
    const std::int32_t* weight = taps.weights.data() + tap.begin;
    const std::uint8_t* row = image.rgb.data() + (tap.first - first_row) * width;
    for (std::int64_t x = 0; x < width; x += kBlock) {
      const std::int64_t block = std::min(kBlock, width - x);
      sums.fill(kHalf);
      for (std::int64_t k = 0; k < tap.count; ++k) {
        const std::uint8_t* from = row + k * width + x;
        const std::int32_t factor = weight[k];
        if (block == kBlock) {
          for (std::size_t i = 0; i < kBlock; ++i) sums[i] += from[i] * factor;
        } else {
          for (std::size_t i = 0; i < static_cast<std::size_t>(block); ++i) sums[i] += from[i] * factor;
        }
      }
      for (std::size_t i = 0; i < static_cast<std::size_t>(block); ++i) *to++ = to_byte(sums[i]);
    }
  }
  return result;
}

}  // namespace

bool is_tf(Filter filter) { return filter == Filter::tf_bilinear || filter == Filter::tf_bicubic; }

Window checked_window(Size to, const std::optional<Window>& window) {
  if (to.h < 1 || to.w < 1)
    throw usage_error("resize: target size out of range (got {}x{}, expected at least 1x1)", to.w, to.h);
  const Window part = window.value_or(Window{0, 0, to});
  const bool inside = part.top >= 0 && part.left >= 0 && part.size.h > 0 && part.size.w > 0 &&
                      part.size.h <= to.h - part.top && part.size.w <= to.w - part.left;
  if (!inside) {
    throw usage_error("window outside of the image (got {}x{} at x = {}, y = {}, expected within {}x{})", part.size.w,
                      part.size.h, part.left, part.top, to.w, to.h);
  }
  return part;
}

Image resize(const Image& image, Size to, Filter filter, std::optional<Box> box, std::optional<Window> window) {
  EFFNET_CHECK(!is_tf(filter) && image.h > 0 && image.w > 0);
  const Window part = checked_window(to, window);
  const auto h = static_cast<float>(image.h);
  const auto w = static_cast<float>(image.w);
  const float x0 = box ? static_cast<float>(box->x0) : 0, y0 = box ? static_cast<float>(box->y0) : 0;
  const float x1 = box ? static_cast<float>(box->x1) : w, y1 = box ? static_cast<float>(box->y1) : h;
  if (!(x0 >= 0 && y0 >= 0 && x1 <= w && y1 <= h && x1 > x0 && y1 > y0)) {
    throw usage_error(
        "resize: box empty or outside of the image (got x = {} to {}, y = {} to {}, expected within {}x{})", x0, x1, y0,
        y1, image.w, image.h);
  }
  const Kernel& kernel = kKernels.at(static_cast<std::size_t>(filter));

  // As in Pillow, a pass that would change nothing is skipped; its rounding is skipped too. The pass along x computes
  // only the rows that the pass along y reads.
  const bool rows_needed = to.w != image.w || x0 != 0 || x1 != static_cast<float>(to.w);
  const bool columns_needed = to.h != image.h || y0 != 0 || y1 != static_cast<float>(to.h);
  if (!rows_needed && !columns_needed) return crop(image, part.top, part.left, part.size);
  const Taps along = make_taps(image.w, x0, x1, to.w, part.left, part.size.w, kernel);
  if (!columns_needed) return resample_rows(image, along, part.top, part.size.h);
  const Taps down = make_taps(image.h, y0, y1, to.h, part.top, part.size.h, kernel);
  if (rows_needed) {
    return resample_columns(resample_rows(image, along, down.first(), down.last() - down.first()), down, down.first());
  }
  if (part.size.w == image.w) return resample_columns(image, down, 0);
  return resample_columns(crop(image, 0, part.left, {image.h, part.size.w}), down, 0);
}

}  // namespace effnet::vision
