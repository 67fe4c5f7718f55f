#include "effnet/data/mix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace effnet::data {
namespace {

// Beta(alpha, alpha) has the mean 1/2 and the variance sigma^2 = 1 / (4 (2 alpha + 1)). The mean of n draws has the
// standard error sigma / sqrt(n). The standard error of the draws' variance is below sigma^2 sqrt((k - 1) / n), where k
// is the kurtosis, at most 3 here. The test allows 5 standard errors.
TEST(Mix, BetaHasTheRightMoments) {
  constexpr int kDraws = 40000;
  for (const double alpha : {0.1, 0.2, 1.0, 4.0}) {
    double sum = 0, squares = 0;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      Draws draws({7, 1, i}, "beta");
      const double x = draw_beta(alpha, draws);
      ASSERT_GE(x, 0);
      ASSERT_LE(x, 1);
      sum += x - 0.5;
      squares += (x - 0.5) * (x - 0.5);
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kDraws, 0, 5 * std::sqrt(variance / kDraws)) << alpha;
    EXPECT_NEAR(squares / kDraws, variance, 5 * variance * std::sqrt(2.0 / kDraws)) << alpha;
  }
  Draws draws({7, 1, 0}, "beta");
  EXPECT_TRUE(std::isfinite(draw_beta(1e-3, draws)));  // U^(1 / alpha) = U^1000 would underflow
}

// Beta(1, 1) is uniform, Beta(1/2, 1/2) has the distribution function 2/pi asin(sqrt(x)). The Kolmogorov-Smirnov
// distance of n draws exceeds 1.95 / sqrt(n) with a probability of 0.1 %.
TEST(Mix, BetaHasTheRightDistribution) {
  constexpr int kDraws = 20000;
  for (const double alpha : {1.0, 0.5}) {
    std::vector<double> values;
    for (std::uint64_t i = 0; i < kDraws; ++i) {
      Draws draws({8, 0, i}, "beta");
      values.push_back(draw_beta(alpha, draws));
    }
    std::sort(values.begin(), values.end());
    double distance = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double x = values[static_cast<std::size_t>(i)];
      const double expected = alpha == 1.0 ? x : 2 / std::acos(-1.0) * std::asin(std::sqrt(x));
      distance =
          std::max({distance, std::abs(expected - i / double{kDraws}), std::abs(expected - (i + 1) / double{kDraws})});
    }
    EXPECT_LT(distance, 1.95 / std::sqrt(kDraws)) << alpha;
  }
}

TEST(Mix, DrawsKindBoxAndLambda) {
  const Size size{9, 13};
  EXPECT_EQ(draw_mix(0, 0, size, {1, 2, 3}).kind, Mix::Kind::none);
  int cut = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    EXPECT_EQ(draw_mix(0.2, 0, size, {1, 2, i}).kind, Mix::Kind::mixup);
    const Mix mix = draw_mix(0, 1, size, {1, 2, i});
    ASSERT_EQ(mix.kind, Mix::Kind::cutmix);
    ASSERT_GE(mix.top, 0);
    ASSERT_GE(mix.left, 0);
    ASSERT_LE(mix.top + mix.box.h, size.h);
    ASSERT_LE(mix.left + mix.box.w, size.w);
    EXPECT_EQ(mix.lambda, static_cast<float>(1 - static_cast<double>(mix.box.h * mix.box.w) / (9.0 * 13)));
    cut += draw_mix(0.2, 1, size, {1, 2, i}).kind == Mix::Kind::cutmix ? 1 : 0;
  }
  EXPECT_NEAR(cut, 200, 5 * std::sqrt(400 * 0.25));
}

TEST(Mix, MixesBothImagesOfAPair) {
  const Size size{2, 3};
  std::vector<float> a(18), b(18);
  for (std::size_t i = 0; i < 18; ++i) {
    a[i] = static_cast<float>(i);
    b[i] = static_cast<float>(100 + i);
  }
  std::vector<float> x = a, y = b;
  mix_pair({Mix::Kind::mixup, 0.75F, 0, 0, {}}, size, x, y);
  for (std::size_t i = 0; i < 18; ++i) {
    EXPECT_EQ(x[i], 0.75F * a[i] + 0.25F * b[i]);  // exact: multiples of 1/4 of small integers
    EXPECT_EQ(y[i], 0.75F * b[i] + 0.25F * a[i]);
  }
  x = a;
  y = b;
  mix_pair({Mix::Kind::cutmix, 4.0F / 6, 0, 1, {1, 2}}, size, x, y);
  for (std::size_t i = 0; i < 18; ++i) {
    const bool inside = i >= 3 && i < 9;  // row 0, columns 1 and 2
    EXPECT_EQ(x[i], inside ? b[i] : a[i]) << i;
    EXPECT_EQ(y[i], inside ? a[i] : b[i]) << i;
  }
}

}  // namespace
}  // namespace effnet::data
