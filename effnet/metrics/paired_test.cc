// Expected values: tests/golden/metrics/make_paired.py (exact fractions).
#include "effnet/metrics/paired.h"

#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/error.h"

namespace effnet::metrics {
namespace {

TEST(McNemar, MatchesExactFractions) {
  EXPECT_EQ(mcnemar_p(0, 0), 1);
  EXPECT_EQ(mcnemar_p(7, 7), 1);
  EXPECT_DOUBLE_EQ(mcnemar_p(0, 1), 1);
  // The error of lgamma(n) is about epsilon times its value, which is 1.3e4 for n = 2000: a relative error of 3e-12.
  EXPECT_NEAR(mcnemar_p(0, 6), 0.03125, 1e-14);
  EXPECT_NEAR(mcnemar_p(1, 9), 0.021484375, 1e-14);
  EXPECT_NEAR(mcnemar_p(5, 15), 0.0413894653320312, 1e-13);
  EXPECT_NEAR(mcnemar_p(40, 61), 0.0460440669293428, 1e-12);
  EXPECT_NEAR(mcnemar_p(900, 1100), 8.45708953550393e-06, 1e-5 * 3e-11);
  EXPECT_EQ(mcnemar_p(9, 1), mcnemar_p(1, 9));
  EXPECT_THROW(mcnemar_p(-1, 1), Error);
}

TEST(Bootstrap, MatchesExactConvolution) {
  const auto expect = [](std::int64_t only_a, std::int64_t only_b, std::int64_t rest, double low, double high) {
    for (const std::int64_t both : {std::int64_t{0}, rest}) {  // both and neither have the same effect
      const Interval interval = bootstrap_95({only_a, only_b, both, rest - both});
      EXPECT_DOUBLE_EQ(interval.low, low) << only_a << " " << only_b << " " << rest;
      EXPECT_DOUBLE_EQ(interval.high, high) << only_a << " " << only_b << " " << rest;
    }
    const Interval swapped = bootstrap_95({only_b, only_a, rest, 0});
    EXPECT_DOUBLE_EQ(swapped.high, -low) << only_a << " " << only_b << " " << rest;
  };
  expect(1, 0, 1, -1, 0);
  expect(1, 1, 1, -1, 1);
  expect(2, 5, 13, -0.1, 0.4);
  expect(3, 12, 85, 0.02, 0.17);
  expect(30, 50, 320, 0.0075, 0.0925);
}

TEST(Bootstrap, LargeCountsAgreeWithTheNormalDistribution) {
  // n = 50,000, 400 and 600 images tell the models apart: mean 0.004, standard deviation sqrt(0.02 - 0.004^2) /
  // sqrt(n).
  const PairedCounts counts{.only_a = 400, .only_b = 600, .both = 40000, .neither = 9000};
  const double deviation = std::sqrt((0.02 - 0.004 * 0.004) / 50000);
  const Interval interval = bootstrap_95(counts);
  EXPECT_DOUBLE_EQ(counts.difference(), 0.004);
  EXPECT_NEAR(interval.low, 0.004 - 1.959964 * deviation, 2.0 / 50000);  // the sums are whole numbers
  EXPECT_NEAR(interval.high, 0.004 + 1.959964 * deviation, 2.0 / 50000);
}

TEST(Bootstrap, EdgeCases) {
  EXPECT_EQ(bootstrap_95({}).low, -1);
  EXPECT_EQ(bootstrap_95({}).high, 1);
  EXPECT_EQ(bootstrap_95({.both = 3, .neither = 2}).low, 0);
  EXPECT_EQ(bootstrap_95({.both = 3, .neither = 2}).high, 0);
  EXPECT_EQ(bootstrap_95({.only_b = 4}).low, 1);
  EXPECT_THROW(bootstrap_95({.only_a = -1, .only_b = 2}), Error);
}

TEST(PairedCounts, CountsImagesByWhoIsRight) {
  PairedCounts counts;
  EXPECT_EQ(counts.difference(), 0);
  counts.add(true, true);
  counts.add(true, false);
  counts.add(false, true);
  counts.add(false, true);
  counts.add(false, false);
  EXPECT_EQ(counts.both, 1);
  EXPECT_EQ(counts.only_a, 1);
  EXPECT_EQ(counts.only_b, 2);
  EXPECT_EQ(counts.neither, 1);
  EXPECT_DOUBLE_EQ(counts.difference(), 0.2);
}

}  // namespace
}  // namespace effnet::metrics
