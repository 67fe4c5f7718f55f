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

// The part of the photograph that is resized to the input; nothing for the whole of a rule that resizes first.
struct Part {
  Window window;
  bool reducible;  // may be read at a smaller size
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
    // The official code tells by its size that the sampler gave up, so a crop that is everything counts as none.
    if (window && window->size != photo) return Part{*window, true};
  }
  return evaluation_part(photo, view.evaluation);
}

template <class PartOf>
Cut cut_of(const Image& photo, PartOf part_of) {
  const std::optional<Part> part = part_of(Size{photo.h, photo.w});
  if (!part) return {photo, {}, 1};
  const auto& [top, left, size] = part->window;
  return {crop(photo, top, left, size), Box{0, 0, static_cast<double>(size.w), static_cast<double>(size.h)}, 1};
}

template <class PartOf>
Cut cut_of(std::span<const std::byte> file, Size needed, PartOf part_of) {
  if (!is_jpeg(file)) return cut_of(decode(file), part_of);
  JpegFile jpeg(file);
  const std::optional<Part> part = part_of(jpeg.size());
  if (!part) return {decode(file), {}, 1};
  const int reduction = part->reducible ? reduction_for(part->window.size, needed) : 1;
  ReducedPart read = jpeg.read(part->window, reduction);
  return {std::move(read.image), read.box, reduction};
}

Sampled sampled_cut(const Cut& cut, const Preprocessing& rule) {
  if (!cut.box) return sample_crop(cut.pixels, rule);
  return resized_part(cut.pixels, rule.crop, rule.filter, cut.box, cut.reduction);
}

// Output (y, x) is what was at (y + down, x + right), black beyond the image.
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

// As TensorFlow: clamped and cut off, not rounded.
Image truncated(const FloatImage& image) {
  Image result = blank({image.h, image.w});
  std::ranges::transform(image.rgb, result.rgb.begin(), [](float value) {
    value = value < 0 ? 0 : value;
    value = value > 255 ? 255 : value;
    return static_cast<std::uint8_t>(static_cast<int>(value));
  });
  return result;
}

// A rectangle of zeros, by the code of Zhong et al.: area and aspect (height to width) uniform, up to 100 tries until
// it is smaller than the input along both sides.
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

void make_input(const Cut& cut, const TrainingView& view, const RandomKey& key, std::span<float> out) {
  Sampled sampled = sample(cut, view, key);
  augment(sampled, view, key);
  finish(sampled, view, key, out);
}

}  // namespace

int reduction_for(Size part, Size needed) {
  for (const int reduction : {8, 4, 2}) {
    if (part.h >= reduction * needed.h && part.w >= reduction * needed.w) return reduction;
  }
  return 1;
}

Cut take_cut(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key) {
  return cut_of(file, view.evaluation.crop, [&](Size photo) { return training_part(photo, view, key); });
}
Cut take_cut(const Image& photo, const TrainingView& view, const RandomKey& key) {
  return cut_of(photo, [&](Size size) { return training_part(size, view, key); });
}
Cut take_evaluation_cut(std::span<const std::byte> file, const Preprocessing& rule) {
  return cut_of(file, rule.crop, [&](Size photo) { return evaluation_part(photo, rule); });
}
Cut take_evaluation_cut(const Image& photo, const Preprocessing& rule) {
  return cut_of(photo, [&](Size size) { return evaluation_part(size, rule); });
}

Sampled sample(const Cut& cut, const TrainingView& view, const RandomKey& key) {
  Sampled sampled = sampled_cut(cut, view.evaluation);
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
  const bool whole_pixels = view.augment >= Augment::autoaugment;
  if (whole_pixels && !sampled.exact.rgb.empty()) {
    sampled.pixels = truncated(sampled.exact);
    sampled.exact = {};
  }
  if (Draws(key, "flip").chance(0.5)) {
    mirror(sampled.pixels);
    mirror(sampled.exact);
  }
  if (!whole_pixels) return;
  const double automatic = std::min(1.0, static_cast<double>(view.evaluation.crop.h) / 224);
  const double scale = view.distance_scale > 0 ? view.distance_scale : automatic;
  Draws draws(key, "augment");
  if (view.augment == Augment::autoaugment) {
    autoaugment(sampled.pixels, scale, draws);
  } else {
    randaugment(sampled.pixels, view.randaugment_layers, view.randaugment_magnitude, scale, draws);
  }
}

void finish(const Sampled& sampled, const TrainingView& view, const RandomKey& key, std::span<float> out) {
  normalise_sampled(sampled, view.evaluation, out);
  Draws draws(key, "erasing");
  if (draws.chance(view.erasing)) erase(view.evaluation.crop, draws, out);
}

void make_training_input(std::span<const std::byte> file, const TrainingView& view, const RandomKey& key,
                         std::span<float> out) {
  make_input(take_cut(file, view, key), view, key, out);
}
void make_training_input(const Image& photo, const TrainingView& view, const RandomKey& key, std::span<float> out) {
  make_input(take_cut(photo, view, key), view, key, out);
}

void make_evaluation_input(std::span<const std::byte> file, const Preprocessing& rule, std::span<float> out) {
  normalise_sampled(sampled_cut(take_evaluation_cut(file, rule), rule), rule, out);
}
void make_evaluation_input(const Image& photo, const Preprocessing& rule, std::span<float> out) {
  normalise_sampled(sampled_cut(take_evaluation_cut(photo, rule), rule), rule, out);
}

}  // namespace effnet::vision
