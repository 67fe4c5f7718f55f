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
      // The last place is never taken where there is slack: offsets are below it.
      ASSERT_TRUE(top < std::max<std::int64_t>(photo.h - size.h, 1));
      ASSERT_TRUE(left < std::max<std::int64_t>(photo.w - size.w, 1));
      ASSERT_GE(static_cast<double>(size.h * size.w), 0.1 * whole);
      // The width is the height times an aspect within 3/4 ... 4/3, to the nearest.
      ASSERT_GE(static_cast<double>(size.w), 0.75 * static_cast<double>(size.h) - 0.5);
      ASSERT_LE(static_cast<double>(size.w), 4.0 / 3 * static_cast<double>(size.h) + 0.5);
    }
    EXPECT_GT(crops, 0);
  }
}

TEST(RandomCrop, GivesUpWhereImagesAreTooLong) {
  // At most 1 x 1 or 1 x 2 pixels fit the aspect, less than a tenth of 500.
  for (const Size photo : {Size{1, 500}, {500, 1}, {1, 100000}}) {
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_FALSE(drawn(photo, i).has_value());
  }
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto window = drawn({1, 1}, i);
    ASSERT_TRUE(window.has_value());
    EXPECT_EQ(window->size, (Size{1, 1}));
  }
}

TEST(RandomCrop, WholeImageOnRequest) {
  const auto window = drawn({64, 64}, 0, {1, 1, 1, 1});
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->size, (Size{64, 64}));
}

// In a square image of side n an attempt of aspect a draws the height from sqrt(0.08 / a) n to n min(1, 1 / a) and
// holds from sqrt(0.1 / a) n on, so crops have the aspect a with a density in proportion to the share that holds; and
// their heights are uniform over what holds. The image is large, so that rounding to pixels hides in the bins: it
// moves an aspect by less than 0.5 / 630, an eightieth of a bin.
TEST(RandomCrop, AspectAndSideAreUniform) {
  constexpr double kSide = 2000;
  constexpr std::size_t kBins = 10;
  const auto highest = [](double a) { return std::min(1.0, 1 / a); };
  const auto holds = [&](double a) { return (highest(a) - std::sqrt(0.1 / a)) / (highest(a) - std::sqrt(0.08 / a)); };
  std::vector<double> shares(kBins);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double share = holds(0.75 + (4.0 / 3 - 0.75) * (i + 0.5) / 10000);
    shares[static_cast<std::size_t>(i) * kBins / 10000] += share;
    sum += share;
  }
  for (double& share : shares) share /= sum;

  std::vector<std::int64_t> aspects(kBins), heights(kBins), tops(kBins), lefts(kBins);
  const auto count = [](std::vector<std::int64_t>& bins, double place) {
    ++bins[static_cast<std::size_t>(std::clamp(place * kBins, 0.0, kBins - 1.0))];
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
  EXPECT_LT(testkit::chi_square(aspects, shares), bound);
  const std::vector<double> even(kBins, 1.0 / kBins);
  EXPECT_LT(testkit::chi_square(heights, even), bound);
  EXPECT_LT(testkit::chi_square(tops, even), bound);
  EXPECT_LT(testkit::chi_square(lefts, even), bound);
  // The test tells apart what it should: a log-uniform aspect, as torchvision's, would fail.
  std::vector<double> logarithmic(kBins);
  for (std::size_t i = 0; i < kBins; ++i) {
    const double low = 0.75 + (4.0 / 3 - 0.75) * static_cast<double>(i) / kBins;
    logarithmic[i] = std::log((low + (4.0 / 3 - 0.75) / kBins) / low) / std::log(16.0 / 9);
  }
  EXPECT_GT(testkit::chi_square(aspects, logarithmic), bound);
}

TEST(RandomCrop, RefusesImpossibleRanges) {
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
