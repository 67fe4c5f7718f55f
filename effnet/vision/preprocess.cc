#include "effnet/vision/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {
namespace {

template <class Picture>
std::vector<float> normalised(const Picture& image, const std::array<double, 3>& mean,
                              const std::array<double, 3>& std) {
  const auto pixels = static_cast<std::size_t>(image.h * image.w);
  std::vector<float> input(3 * pixels);
  for (std::size_t c = 0; c < 3; ++c) {
    const double shift = 255 * mean[c];
    const double scale = 255 * std[c];
    for (std::size_t i = 0; i < pixels; ++i) {
      input[c * pixels + i] = static_cast<float>((static_cast<double>(image.rgb[3 * i + c]) - shift) / scale);
    }
  }
  return input;
}

// The network's input: a window of the resized picture, with black around it where the window is smaller.
struct View {
  Window window;
  std::int64_t above = 0;   // black rows
  std::int64_t before = 0;  // black columns
};

template <class Picture>
Picture framed(Picture picture, const View& view, Size size) {
  if (picture.h == size.h && picture.w == size.w) return picture;
  Picture result{size.h, size.w, {}};
  result.rgb.resize(static_cast<std::size_t>(3 * size.h * size.w));
  for (std::int64_t y = 0; y < picture.h; ++y) {
    std::copy_n(picture.rgb.data() + 3 * y * picture.w, 3 * picture.w,
                result.rgb.data() + 3 * ((view.above + y) * size.w + view.before));
  }
  return result;
}

Prepared resampled(const Image& photo, Size to, const View& view, const Preprocessing& rule) {
  Prepared result;
  if (is_tf(rule.filter)) {
    const FloatImage exact = framed(resize_tf(photo, to, rule.filter, view.window), view, rule.crop);
    result.input = normalise(exact, rule.mean, rule.std);
    result.pixels = rounded(exact);
  } else {
    result.pixels = framed(resize(photo, to, rule.filter, {}, view.window), view, rule.crop);
    result.input = normalise(result.pixels, rule.mean, rule.std);
  }
  return result;
}

Prepared crop_then_resize(const Image& photo, const Preprocessing& rule) {
  const auto h = static_cast<double>(photo.h), w = static_cast<double>(photo.w);
  const auto to_h = static_cast<double>(rule.crop.h), to_w = static_cast<double>(rule.crop.w);
  // The largest box of the target's shape; of a square target both sides are min(h, w).
  const double whole_h = std::min(h, w * to_h / to_w);
  const double whole_w = std::min(w, h * to_w / to_h);
  const auto side = [](double crop, std::int64_t resize, double whole, std::int64_t limit) {
    return std::clamp(static_cast<std::int64_t>(std::min(crop / static_cast<double>(resize) * whole, 1e9)),
                      std::int64_t{1}, limit);
  };
  const Size box{side(to_h, rule.resize.h, whole_h, photo.h), side(to_w, rule.resize.w, whole_w, photo.w)};
  const std::int64_t top = (photo.h - box.h + 1) / 2;
  const std::int64_t left = (photo.w - box.w + 1) / 2;

  Prepared result = resampled(crop(photo, top, left, box), rule.crop, {{0, 0, rule.crop}}, rule);
  result.crop = {static_cast<double>(left), static_cast<double>(top), static_cast<double>(left + box.w),
                 static_cast<double>(top + box.h)};
  return result;
}

// Where a crop of `size` begins along an axis of `n` resized pixels: int(round((n - size) / 2.0)) of Python, halves to
// even; below zero if black comes first.
std::int64_t centre_begin(std::int64_t n, std::int64_t size) {
  if (size > n) return -((size - n) / 2);
  const std::int64_t half = (n - size) / 2;
  return (n - size) % 2 == 0 ? half : half + half % 2;
}

Prepared resize_then_crop(const Image& photo, const Preprocessing& rule) {
  const bool by_height = rule.resize.h * photo.w >= rule.resize.w * photo.h;
  Size whole = rule.resize;
  if (by_height) {
    whole.w = std::max<std::int64_t>(rule.resize.h * photo.w / photo.h, 1);
  } else {
    whole.h = std::max<std::int64_t>(rule.resize.w * photo.h / photo.w, 1);
  }
  const std::int64_t top = centre_begin(whole.h, rule.crop.h);
  const std::int64_t left = centre_begin(whole.w, rule.crop.w);
  const Window window{std::max<std::int64_t>(top, 0),
                      std::max<std::int64_t>(left, 0),
                      {std::min(rule.crop.h, whole.h), std::min(rule.crop.w, whole.w)}};
  Prepared result =
      resampled(photo, whole, {window, std::max<std::int64_t>(-top, 0), std::max<std::int64_t>(-left, 0)}, rule);
  const double per_row = static_cast<double>(photo.h) / static_cast<double>(whole.h);
  const double per_column = static_cast<double>(photo.w) / static_cast<double>(whole.w);
  result.crop = {static_cast<double>(left) * per_column, static_cast<double>(top) * per_row,
                 static_cast<double>(left + rule.crop.w) * per_column,
                 static_cast<double>(top + rule.crop.h) * per_row};
  return result;
}

}  // namespace

std::vector<float> normalise(const Image& image, const std::array<double, 3>& mean, const std::array<double, 3>& std) {
  return normalised(image, mean, std);
}
std::vector<float> normalise(const FloatImage& image, const std::array<double, 3>& mean,
                             const std::array<double, 3>& std) {
  return normalised(image, mean, std);
}

Prepared prepare(const Image& photo, const Preprocessing& rule) {
  EFFNET_CHECK(photo.h > 0 && photo.w > 0);
  constexpr std::int64_t kLargestSide = 1 << 20;  // keeps the products below within 64 bits for every picture
  for (const std::int64_t side : {rule.crop.h, rule.crop.w, rule.resize.h, rule.resize.w}) {
    if (side < 1 || side > kLargestSide) {
      throw input_error("preprocessing: size out of range (got {}, expected 1 to {})", side, kLargestSide);
    }
  }
  return rule.order == CropOrder::crop_first ? crop_then_resize(photo, rule) : resize_then_crop(photo, rule);
}

}  // namespace effnet::vision
