#include "effnet/vision/random_crop.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"

namespace effnet::vision {
namespace {

constexpr int kAttempts = 10;
constexpr double kMinObjectCovered = 0.1;  // a crop covers at least this fraction of the object, the whole image

// Rounds halves to even, like TensorFlow's lrintf.
std::int64_t nearest(double x) { return static_cast<std::int64_t>(std::nearbyint(x)); }

// Returns the largest height for which the width, nearest(height * aspect), is at most `limit`.
std::int64_t largest_height(std::int64_t limit, double aspect) {
  auto height = static_cast<std::int64_t>((static_cast<double>(limit) + 0.5) / aspect);
  while (height > 0 && nearest(static_cast<double>(height) * aspect) > limit) --height;
  return height;
}

std::optional<Window> attempt(Size photo, const CropRange& range, Draws& draws) {
  const double whole = static_cast<double>(photo.h) * static_cast<double>(photo.w);
  const double least = range.area_low * whole;
  const double most = range.area_high * whole;
  const double aspect = draws.uniform(range.aspect_low, range.aspect_high);

  const std::int64_t highest = std::min({nearest(std::sqrt(most / aspect)), largest_height(photo.w, aspect), photo.h});
  const std::int64_t lowest = std::min(nearest(std::sqrt(least / aspect)), highest);
  std::int64_t h = lowest + draws.below(highest - lowest + 1);
  const auto width = [&] { return nearest(static_cast<double>(h) * aspect); };
  const auto area = [&] { return static_cast<double>(h) * static_cast<double>(width()); };
  if (area() < least) ++h;  // an attempt must not fail because of rounding alone
  if (area() > most) --h;
  const std::int64_t w = width();

  const std::int64_t top = draws.below(std::max<std::int64_t>(photo.h - h, 1));
  const std::int64_t left = draws.below(std::max<std::int64_t>(photo.w - w, 1));
  const bool inside = h > 0 && w > 0 && h <= photo.h && w <= photo.w;
  if (!inside || area() < std::max(least, kMinObjectCovered * whole) || area() > most) return {};
  return Window{top, left, {h, w}};
}

}  // namespace

std::optional<Window> random_crop(Size photo, const CropRange& range, Draws& draws) {
  EFFNET_CHECK(photo.h > 0 && photo.w > 0);
  if (!(range.area_low > 0 && range.area_low <= range.area_high && range.area_high <= 1)) {
    throw usage_error("random crop: area out of range (got {} to {}, expected 0 < low <= high <= 1)", range.area_low,
                      range.area_high);
  }
  if (!(range.aspect_low > 0 && range.aspect_low <= range.aspect_high && range.aspect_high <= 100)) {
    throw usage_error("random crop: aspect ratio out of range (got {} to {}, expected 0 < low <= high <= 100)",
                      range.aspect_low, range.aspect_high);
  }
  for (int i = 0; i < kAttempts; ++i) {
    if (const auto window = attempt(photo, range, draws)) return window;
  }
  return {};
}

}  // namespace effnet::vision
