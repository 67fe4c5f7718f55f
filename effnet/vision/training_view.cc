#include "effnet/vision/training_view.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/vision/augment_policies.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/random_crop.h"
#include "effnet/vision/training_parts.h"

namespace effnet::vision {
namespace {

void check(const TrainingView& view) {
  if (view.shift_px < 0 || view.shift_px > 1 << 20)
    throw usage_error("shift out of range (got {} px, expected 0 to {})", view.shift_px, 1 << 20);
  if (!(view.distance_scale >= 0 && view.distance_scale <= 1000))
    throw usage_error("distance scale out of range (got {}, expected 0 to 1000)", view.distance_scale);
  if (!(view.erasing >= 0 && view.erasing <= 1))
    throw usage_error("probability of erasing out of range (got {}, expected 0 to 1)", view.erasing);
}

// The part of the photo that is resized to the input. evaluation_part() returns nothing for a resize_first rule, which
// resizes the whole photo. training_part() does so too if it uses neither a random crop nor a shift.
struct Part {
  Window window;
  bool reducible;  // may be decoded at a smaller size
};
std::optional<Part> evaluation_part(Size photo, const Preprocessing& rule) {
  if (rule.order != CropOrder::crop_first) return {};
  return Part{centre_part(photo, rule), false};
}
std::optional<Part> training_part(Size photo, const TrainingView& view, const RandomKey& key) {
  check(view);
  if (view.augment >= Augment::inception && view.shift_px > 0) return Part{{0, 0, photo}, true};
  if (view.augment >= Augment::inception) {
    Draws draws(key, "crop");
    const auto window = random_crop(photo, {view.area_low, view.area_high, view.aspect_low, view.aspect_high}, draws);
    // The official code recognises a failed random crop by its size, so a crop of the whole photo counts as failed.
    if (window && window->size != photo) return Part{*window, true};
  }
  return evaluation_part(photo, view.evaluation);
}

template <class ChoosePart>
SourceCrop source_crop(const Image& photo, ChoosePart choose_part) {
  const std::optional<Part> part = choose_part(Size{photo.h, photo.w});
  if (!part) return {photo, {}, 1};
  const auto& [top, left, size] = part->window;
  return {crop(photo, top, left, size), Box{0, 0, static_cast<double>(size.w), static_cast<double>(size.h)}, 1};
}

template <class ChoosePart>
SourceCrop source_crop(std::span<const std::byte> file, Size needed, ChoosePart choose_part) {
  if (!is_jpeg(file)) return source_crop(decode(file), choose_part);
  JpegFile jpeg(file);
  const std::optional<Part> part = choose_part(jpeg.size());
  if (!part) return {decode(file), {}, 1};
  const int reduction = part->reducible ? reduction_for(part->window.size, needed) : 1;
  ReducedPart read = jpeg.read(part->window, reduction);
  return {std::move(read.image), read.box, reduction};
}

Sampled resized_crop(const SourceCrop& source, const Preprocessing& rule) {
  if (!source.box) return sample_crop(source.pixels, rule);
  return resized_part(source.pixels, rule.crop, rule.filter, source.box, source.reduction);
}

// Output pixel (y, x) is input pixel (y + down, x + right), or black if that is outside of the image.
template <class ImageType>
void move_pixels(ImageType& image, std::int64_t down, std::int64_t right) {
  ImageType moved = image;
  std::ranges::fill(moved.rgb, 0);
  const std::int64_t begin = std::clamp<std::int64_t>(-right, 0, image.w);
  const std::int64_t end = std::clamp<std::int64_t>(image.w - right, begin, image.w);
  for (std::int64_t y = std::max<std::int64_t>(-down, 0); y < std::min(image.h - down, image.h); ++y) {
    std::copy_n(image.rgb.data() + 3 * ((y + down) * image.w + begin + right), 3 * (end - begin),
                moved.rgb.data() + 3 * (y * image.w + begin));
  }
  image = std::move(moved);
}

template <class ImageType>
void mirror(ImageType& image) {
  for (std::int64_t y = 0; y < image.h; ++y) {
    auto* left = image.rgb.data() + 3 * y * image.w;
    for (auto* right = left + 3 * (image.w - 1); left < right; left += 3, right -= 3) {
      std::swap_ranges(left, left + 3, right);
    }
  }
}

// Converts floats to bytes as TensorFlow does: clamped and truncated, not rounded.
Image truncated(const FloatImage& image) {
  Image result = blank({image.h, image.w});
  std::ranges::transform(image.rgb, result.rgb.begin(), [](float value) {
    value = value < 0 ? 0 : value;
    value = value > 255 ? 255 : value;
    return static_cast<std::uint8_t>(static_cast<int>(value));
  });
  return result;
}

// Sets a random rectangle to zero, like the code of Zhong et al.: area and aspect ratio (height / width) are drawn
// uniformly until the rectangle is smaller than the input along both axes. Erases nothing after 100 failed attempts.
void erase(Size size, Draws& draws, std::span<float> out) {
  constexpr double kAspect = 0.3;
  for (int i = 0; i < 100; ++i) {
    const double area = draws.uniform(0.02, 0.4) * static_cast<double>(size.h * size.w);
    const double aspect = draws.uniform(kAspect, 1 / kAspect);
    const auto h = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area * aspect)));
    const auto w = static_cast<std::int64_t>(std::nearbyint(std::sqrt(area / aspect)));
    if (h >= size.h || w >= size.w) continue;
    const std::int64_t top = draws.below(size.h - h + 1);
    const std::int64_t left = draws.below(size.w - w + 1);
    for (std::int64_t y = top; y < top + h; ++y) std::fill_n(out.data() + 3 * (y * size.w + left), 3 * w, 0.0F);
    return;
  }
}

void normalise_sampled(const Sampled& sampled, const Preprocessing& rule, std::span<float> out) {
  if (sampled.exact.rgb.empty()) {
    normalise_rows(sampled.pixels, rule, out);
  } else {
    normalise_rows(sampled.exact, rule, out);
  }
}

void make_input(const SourceCrop& source, const TrainingView& view, const RandomKey& key, std::span<float> out) {
  Sampled sampled = sample(source, view, key);
  augment(sampled, view, key);
  normalise_and_erase(sampled, view, key, out);
}

}  // namespace

int reduction_for(Size part, Size needed) {
  for (const int reduction : {8, 4, 2}) {
    if (part.h >= reduction * needed.h && part.w >= reduction * needed.w) return reduction;
  }
  return 1;
}

SourceCrop load_crop(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key) {
  return source_crop(file, view.evaluation.crop, [&](Size photo) { return training_part(photo, view, key); });
}
SourceCrop load_crop(const Image& photo, const TrainingView& view, const RandomKey& key) {
  return source_crop(photo, [&](Size size) { return training_part(size, view, key); });
}
SourceCrop load_evaluation_crop(std::span<const std::byte> file, const Preprocessing& rule) {
  return source_crop(file, rule.crop, [&](Size photo) { return evaluation_part(photo, rule); });
}
SourceCrop load_evaluation_crop(const Image& photo, const Preprocessing& rule) {
  return source_crop(photo, [&](Size size) { return evaluation_part(size, rule); });
}

Sampled sample(const SourceCrop& source, const TrainingView& view, const RandomKey& key) {
  Sampled sampled = resized_crop(source, view.evaluation);
  if (view.augment < Augment::inception || view.shift_px == 0) return sampled;
  Draws draws(key, "shift");
  const std::int64_t down = draws.below(2 * view.shift_px + 1) - view.shift_px;
  const std::int64_t right = draws.below(2 * view.shift_px + 1) - view.shift_px;
  if (sampled.exact.rgb.empty()) {
    move_pixels(sampled.pixels, down, right);
  } else {
    move_pixels(sampled.exact, down, right);
  }
  return sampled;
}

void augment(Sampled& sampled, const TrainingView& view, const RandomKey& key) {
  if (view.augment == Augment::none) return;
  const bool needs_bytes = view.augment >= Augment::autoaugment;
  if (needs_bytes && !sampled.exact.rgb.empty()) {
    sampled.pixels = truncated(sampled.exact);
    sampled.exact = {};
  }
  if (Draws(key, "flip").chance(0.5)) {
    mirror(sampled.pixels);
    mirror(sampled.exact);
  }
  if (!needs_bytes) return;
  const double automatic = std::min(1.0, static_cast<double>(view.evaluation.crop.h) / 224);
  const double scale = view.distance_scale > 0 ? view.distance_scale : automatic;
  Draws draws(key, "augment");
  if (view.augment == Augment::autoaugment) {
    autoaugment(sampled.pixels, scale, draws);
  } else {
    randaugment(sampled.pixels, view.randaugment_layers, view.randaugment_magnitude, scale, draws);
  }
}

void normalise_and_erase(const Sampled& sampled, const TrainingView& view, const RandomKey& key, std::span<float> out) {
  normalise_sampled(sampled, view.evaluation, out);
  Draws draws(key, "erasing");
  if (draws.chance(view.erasing)) erase(view.evaluation.crop, draws, out);
}

void make_training_input(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key,
                         std::span<float> out) {
  make_input(load_crop(file, view, key), view, key, out);
}
void make_training_input(const Image& photo, const TrainingView& view, const RandomKey& key, std::span<float> out) {
  make_input(load_crop(photo, view, key), view, key, out);
}

void make_evaluation_input(std::span<const std::byte> file, const Preprocessing& rule, std::span<float> out) {
  normalise_sampled(resized_crop(load_evaluation_crop(file, rule), rule), rule, out);
}
void make_evaluation_input(const Image& photo, const Preprocessing& rule, std::span<float> out) {
  normalise_sampled(resized_crop(load_evaluation_crop(photo, rule), rule), rule, out);
}

}  // namespace effnet::vision
