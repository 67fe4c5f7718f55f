#include "effnet/vision/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/vision/sampling.h"

namespace effnet::vision {
namespace {

template <class ImageType>
std::vector<float> normalised(const ImageType& image, const std::array<double, 3>& mean,
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

// The network's input: a window of the resized image, and the black border where the image is smaller than the input.
struct View {
  Window window;
  std::int64_t above = 0;   // number of black rows above the image
  std::int64_t before = 0;  // number of black columns to the left of the image
};

template <class ImageType>
ImageType framed(ImageType image, const View& view, Size size) {
  if (image.h == size.h && image.w == size.w) return image;
  ImageType result{size.h, size.w, {}};
  result.rgb.resize(static_cast<std::size_t>(3 * size.h * size.w));
  for (std::int64_t y = 0; y < image.h; ++y) {
    std::copy_n(image.rgb.data() + 3 * y * image.w, 3 * image.w,
                result.rgb.data() + 3 * ((view.above + y) * size.w + view.before));
  }
  return result;
}

void check_sizes(const Preprocessing& rule) {
  constexpr std::int64_t kLargestSide = 1 << 20;  // its product with the side of any image fits into 64 bits
  for (const std::int64_t side : {rule.crop.h, rule.crop.w, rule.resize.h, rule.resize.w}) {
    if (side < 1 || side > kLargestSide) {
      throw input_error("preprocessing: size out of range (got {}, expected 1 to {})", side, kLargestSide);
    }
  }
}

Sampled resampled(const Image& photo, Size to, const View& view, const Preprocessing& rule) {
  Sampled result;
  if (is_tf(rule.filter)) {
    result.exact = framed(resize_tf(photo, to, rule.filter, view.window), view, rule.crop);
  } else {
    result.pixels = framed(resize(photo, to, rule.filter, {}, view.window), view, rule.crop);
  }
  return result;
}

Sampled crop_then_resize(const Image& photo, const Preprocessing& rule) {
  const auto [top, left, size] = centre_part({photo.h, photo.w}, rule);
  Sampled result = resized_part(crop(photo, top, left, size), rule.crop, rule.filter);
  result.crop = {static_cast<double>(left), static_cast<double>(top), static_cast<double>(left + size.w),
                 static_cast<double>(top + size.h)};
  return result;
}

// Returns the first pixel of a centre crop of `size` pixels along an axis of `n` resized pixels: as in Python,
// int(round((n - size) / 2.0)), with halves rounded to even. Negative if there is a black border before the image.
std::int64_t centre_begin(std::int64_t n, std::int64_t size) {
  if (size > n) return -((size - n) / 2);
  const std::int64_t half = (n - size) / 2;
  return (n - size) % 2 == 0 ? half : half + half % 2;
}

Sampled resize_then_crop(const Image& photo, const Preprocessing& rule) {
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
  Sampled result =
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

void normalise_rows(const Image& image, const Preprocessing& rule, std::span<float> out) {
  EFFNET_CHECK(out.size() == image.rgb.size());
  std::array<std::array<float, 256>, 3> values;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < 256; ++i) {
      values[c][i] = static_cast<float>((static_cast<double>(i) - 255 * rule.mean[c]) / (255 * rule.std[c]));
    }
  }
  for (std::size_t i = 0; i < out.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) out[i + c] = values[c][image.rgb[i + c]];
  }
}

void normalise_rows(const FloatImage& image, const Preprocessing& rule, std::span<float> out) {
  EFFNET_CHECK(out.size() == image.rgb.size());
  constexpr std::size_t kBlock = 12;  // a multiple of a pixel's 3 channels and of a vector's 4 floats
  std::array<double, kBlock> shift, scale;
  for (std::size_t i = 0; i < kBlock; ++i) {
    shift[i] = 255 * rule.mean[i % 3];
    scale[i] = 255 * rule.std[i % 3];
  }
  const auto value = [&](std::size_t i, std::size_t k) {
    return static_cast<float>((static_cast<double>(image.rgb[i]) - shift[k]) / scale[k]);
  };
  std::size_t i = 0;
  for (; i + kBlock <= out.size(); i += kBlock) {
    for (std::size_t k = 0; k < kBlock; ++k) out[i + k] = value(i + k, k);
  }
  for (std::size_t k = 0; i + k < out.size(); ++k) out[i + k] = value(i + k, k);
}

Window centre_part(Size photo, const Preprocessing& rule) {
  check_sizes(rule);
  const auto h = static_cast<double>(photo.h), w = static_cast<double>(photo.w);
  const auto to_h = static_cast<double>(rule.crop.h), to_w = static_cast<double>(rule.crop.w);
  // The largest box with the target's aspect ratio; for a square target both sides are min(h, w).
  const double whole_h = std::min(h, w * to_h / to_w);
  const double whole_w = std::min(w, h * to_w / to_h);
  const auto side = [](double crop, std::int64_t resize, double whole, std::int64_t limit) {
    return std::clamp(static_cast<std::int64_t>(std::min(crop / static_cast<double>(resize) * whole, 1e9)),
                      std::int64_t{1}, limit);
  };
  const Size box{side(to_h, rule.resize.h, whole_h, photo.h), side(to_w, rule.resize.w, whole_w, photo.w)};
  return {(photo.h - box.h + 1) / 2, (photo.w - box.w + 1) / 2, box};
}

Sampled resized_part(const Image& image, Size to, Filter filter, std::optional<Box> box, int reduction) {
  Sampled result;
  if (is_tf(filter)) {
    // In TensorFlow, position p is the centre of pixel p, at the distance p + 1/2 from the edge. In the reduced image,
    // the same point is at position (p + 1/2) / reduction - 1/2. `box` has p / reduction, so the difference is added.
    const double shift = 0.5 / reduction - 0.5;
    if (box) box = Box{box->x0 + shift, box->y0 + shift, box->x1 + shift, box->y1 + shift};
    result.exact = resize_tf(image, to, filter, {}, box);
  } else {
    result.pixels = resize(image, to, filter, box);
  }
  return result;
}

Sampled sample_crop(const Image& photo, const Preprocessing& rule) {
  EFFNET_CHECK(photo.h > 0 && photo.w > 0);
  check_sizes(rule);
  return rule.order == CropOrder::crop_first ? crop_then_resize(photo, rule) : resize_then_crop(photo, rule);
}

Prepared prepare(const Image& photo, const Preprocessing& rule) {
  Sampled sampled = sample_crop(photo, rule);
  if (is_tf(rule.filter)) {
    return {normalise(sampled.exact, rule.mean, rule.std), rounded(sampled.exact), sampled.crop};
  }
  std::vector<float> input = normalise(sampled.pixels, rule.mean, rule.std);
  return {std::move(input), std::move(sampled.pixels), sampled.crop};
}

}  // namespace effnet::vision
