#include "effnet/vision/random_crop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/vision/statistics_testing.h"

namespace effnet::vision {
namespace {

std::optional<Window> drawn(Size photo, std::uint64_t sample, const CropRange& range = {}) {
  Draws draws({1, 2, sample}, "crop");
  return random_crop(photo, range, draws);
}

TEST(RandomCrop, StaysWithinBounds) {
  for (const Size photo : {Size{375, 500}, {500, 375}, {32, 32}, {100, 301}, {7, 9}, {3, 2}, {2, 2}}) {
    SCOPED_TRACE(fmt::format("{}x{}", photo.h, photo.w));
    const auto whole = static_cast<double>(photo.h * photo.w);
    int crops = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) {
      const auto window = drawn(photo, i);
      if (!window) continue;
      ++crops;
      const auto [top, left, size] = *window;
      ASSERT_TRUE(size.h >= 1 && size.w >= 1);
      ASSERT_TRUE(top >= 0 && left >= 0 && top + size.h <= photo.h && left + size.w <= photo.w);
      // Offsets are drawn from 0 up to, but without, photo side - crop side. So the last possible offset does not
      // occur, except if photo side and crop side are equal.
      ASSERT_TRUE(top < std::max<std::int64_t>(photo.h - size.h, 1));
      ASSERT_TRUE(left < std::max<std::int64_t>(photo.w - size.w, 1));
      ASSERT_GE(static_cast<double>(size.h * size.w), 0.1 * whole);
      // The width is the height times an aspect ratio of 3/4 to 4/3, rounded to nearest.
      ASSERT_GE(static_cast<double>(size.w), 0.75 * static_cast<double>(size.h) - 0.5);
      ASSERT_LE(static_cast<double>(size.w), 4.0 / 3 * static_cast<double>(size.h) + 0.5);
    }
    EXPECT_GT(crops, 0);
  }
}

TEST(RandomCrop, ElongatedImagesHaveNoCrop) {
  // A crop with a valid aspect ratio has at most 1 x 2 pixels. This is less than a tenth of 500 pixels.
  for (const Size photo : {Size{1, 500}, {500, 1}, {1, 100000}}) {
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_FALSE(drawn(photo, i).has_value());
  }
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto window = drawn({1, 1}, i);
    ASSERT_TRUE(window.has_value());
    EXPECT_EQ(window->size, (Size{1, 1}));
  }
}

TEST(RandomCrop, FullRangeGivesTheWholeImage) {
  const auto window = drawn({64, 64}, 0, {1, 1, 1, 1});
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->size, (Size{64, 64}));
}

// In a square image of side n, an attempt with aspect ratio a draws the height from
// sqrt(0.08 / a) n to min(1, 1 / a) n. The attempt is valid if the height is at least sqrt(0.1 / a) n. So the density
// of the aspect ratio a among all crops is proportional to the fraction of valid heights, and the heights are uniform
// over the valid range. The image is large, so that rounding to pixels is small compared with a bin of 0.058: the width
// changes by at most 0.5 and the height is at least 547 (at a = 4/3), so the aspect ratio changes by less than 0.001.
TEST(RandomCrop, AspectRatioAndHeightAreUniform) {
  constexpr double kSide = 2000;
  constexpr std::size_t kBins = 10;
  const auto highest = [](double a) { return std::min(1.0, 1 / a); };
  const auto valid = [&](double a) { return (highest(a) - std::sqrt(0.1 / a)) / (highest(a) - std::sqrt(0.08 / a)); };
  std::vector<double> fractions(kBins);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double fraction = valid(0.75 + (4.0 / 3 - 0.75) * (i + 0.5) / 10000);
    fractions[static_cast<std::size_t>(i) * kBins / 10000] += fraction;
    sum += fraction;
  }
  for (double& fraction : fractions) fraction /= sum;

  std::vector<std::int64_t> aspects(kBins), heights(kBins), tops(kBins), lefts(kBins);
  const auto count = [](std::vector<std::int64_t>& bins, double position) {
    ++bins[static_cast<std::size_t>(std::clamp(position * kBins, 0.0, kBins - 1.0))];
  };
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const auto window = drawn({static_cast<std::int64_t>(kSide), static_cast<std::int64_t>(kSide)}, i);
    ASSERT_TRUE(window.has_value());
    const auto h = static_cast<double>(window->size.h), w = static_cast<double>(window->size.w);
    const double a = w / h;
    count(aspects, (a - 0.75) / (4.0 / 3 - 0.75));
    const double low = std::sqrt(0.1 / a) * kSide;
    count(heights, (h - low) / (highest(a) * kSide - low));
    if (kSide - h >= 200) count(tops, static_cast<double>(window->top) / (kSide - h));
    if (kSide - w >= 200) count(lefts, static_cast<double>(window->left) / (kSide - w));
  }
  const double bound = testkit::chi_square_bound(kBins);
  EXPECT_LT(testkit::chi_square(aspects, fractions), bound);
  const std::vector<double> even(kBins, 1.0 / kBins);
  EXPECT_LT(testkit::chi_square(heights, even), bound);
  EXPECT_LT(testkit::chi_square(tops, even), bound);
  EXPECT_LT(testkit::chi_square(lefts, even), bound);
  // The test has enough power: a log-uniform aspect ratio, as torchvision draws it, fails.
  std::vector<double> logarithmic(kBins);
  for (std::size_t i = 0; i < kBins; ++i) {
    const double low = 0.75 + (4.0 / 3 - 0.75) * static_cast<double>(i) / kBins;
    logarithmic[i] = std::log((low + (4.0 / 3 - 0.75) / kBins) / low) / std::log(16.0 / 9);
  }
  EXPECT_GT(testkit::chi_square(aspects, logarithmic), bound);
}

TEST(RandomCrop, RejectsInvalidRanges) {
  for (const CropRange& range : {CropRange{0, 1, 1, 1},
                                 {0.5, 0.4, 1, 1},
                                 {0.1, 1.5, 1, 1},
                                 {0.1, 1, 0, 1},
                                 {0.1, 1, 2, 1},
                                 {0.1, 1, 1, 1e9},
                                 {NAN, 1, 1, 1}}) {
    EXPECT_THROW(drawn({10, 10}, 0, range), Error);
  }
}

}  // namespace
}  // namespace effnet::vision
