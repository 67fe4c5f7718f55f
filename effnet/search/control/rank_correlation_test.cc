#include "effnet/search/control/rank_correlation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "effnet/base/random_key.h"

namespace effnet::search {
namespace {

using List = std::vector<double>;

// Counts all pairs, as the definition says.
double slow_tau_b(const List& a, const List& b) {
  const auto sign = [](double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; };
  double sum = 0, pairs_a = 0, pairs_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int x = sign(a[i] - a[j]), y = sign(b[i] - b[j]);
      sum += x * y;
      pairs_a += x * x;
      pairs_b += y * y;
    }
  }
  return sum / std::sqrt(pairs_a * pairs_b);
}

// Ranks 1 2 3 4 5 and 3 4 1 2 5. Spearman: squared differences 4 4 4 4 0, so 1 - 6 * 16 / (5 * 24). Kendall: the pairs
// (3 1), (3 2), (4 1), (4 2) are discordant and 6 pairs concordant, so (6 - 4) / 10.
TEST(RankCorrelation, WithoutTies) {
  const List a{0.1, 0.2, 0.35, 0.4, 7}, b{30, 40, -1, 20, 50};
  EXPECT_NEAR(*spearman_rho(a, b), 0.2, 1e-12);
  EXPECT_NEAR(*kendall_tau_b(a, b), 0.2, 1e-12);
}

// Hours of television and intelligence quotients of ten persons, a usual textbook example: the squared differences of
// the ranks have the sum 194, so rho = 1 - 6 * 194 / (10 * 99) = -29/165.
TEST(RankCorrelation, TextbookExample) {
  const List quotients{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}, hours{7, 27, 2, 50, 28, 29, 20, 12, 6, 17};
  EXPECT_NEAR(*spearman_rho(quotients, hours), -29.0 / 165, 1e-12);
}

// The lists of the example in SciPy's documentation of spearmanr. Ranks of b: 1, 2, 3.5, 5, 3.5. With the mean rank 3
// the sums of products are 8, 10 and 9.5.
TEST(RankCorrelation, SpearmanWithTies) {
  EXPECT_NEAR(*spearman_rho(List{1, 2, 3, 4, 5}, List{5, 6, 7, 8, 7}), 8 / std::sqrt(10 * 9.5), 1e-12);
}

// The lists of the example in SciPy's documentation of kendalltau: 2 concordant and 6 discordant pairs of 10; 2 pairs
// are tied in a and 1 is tied in b (the same one as in a).
TEST(RankCorrelation, KendallWithTies) {
  EXPECT_NEAR(*kendall_tau_b(List{12, 2, 1, 12, 2}, List{1, 4, 7, 1, 0}), -4 / std::sqrt(8.0 * 9.0), 1e-12);
}

TEST(RankCorrelation, KendallFollowsTheDefinition) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Draws draws({seed}, "lists");
    List a, b;
    a.reserve(20 + seed);
    b.reserve(20 + seed);
    for (std::uint64_t i = 0; i < 20 + seed; ++i) {
      a.push_back(static_cast<double>(draws.below(8)));
      b.push_back(static_cast<double>(draws.below(30)));
    }
    EXPECT_NEAR(*kendall_tau_b(a, b), slow_tau_b(a, b), 1e-12) << seed;
  }
}

TEST(RankCorrelation, ExtremesAndConstantLists) {
  const List up{1, 2, 3, 4}, down{9, 7, 3, 1}, flat{5, 5, 5, 5};
  for (const RankStatistic statistic : {&spearman_rho, &kendall_tau_b}) {
    EXPECT_NEAR(*statistic(up, up), 1, 1e-12);
    EXPECT_NEAR(*statistic(up, down), -1, 1e-12);
    EXPECT_FALSE(statistic(up, flat));
    EXPECT_FALSE(statistic(flat, up));
    EXPECT_FALSE(statistic(List{1}, List{1}));
    EXPECT_FALSE(statistic({}, {}));
    EXPECT_FALSE(correlation_95(statistic, up, flat, 1));
  }
}

TEST(RankCorrelation, TheIntervalFollowsFromTheSeed) {
  const List a{1, 2, 3, 4, 5, 6, 7, 8}, b{2, 1, 4, 3, 6, 5, 8, 7};
  const Correlation one = *correlation_95(&kendall_tau_b, a, b, 1), same = *correlation_95(&kendall_tau_b, a, b, 1);
  EXPECT_EQ(one.low, same.low);
  EXPECT_EQ(one.high, same.high);
  EXPECT_LT(one.low, one.value);
  EXPECT_GT(one.high, one.value);
  const Correlation exact = *correlation_95(&spearman_rho, a, a, 1);
  EXPECT_NEAR(exact.low, 1, 1e-12);
}

// Normal pairs with correlation 0.6 have tau = 2/pi asin(0.6). A 95 % interval covers it in about 95 % of samples; the
// percentile bootstrap of 50 pairs in slightly fewer.
TEST(RankCorrelation, TheIntervalCoversTheTrueValue) {
  const double tau = 2 / std::numbers::pi * std::asin(0.6);
  int covered = 0;
  for (std::uint64_t sample = 0; sample < 200; ++sample) {
    Draws draws({3, 0, sample}, "normal pairs");
    List a, b;
    a.reserve(50);
    b.reserve(50);
    for (int i = 0; i < 50; ++i) {
      a.push_back(draws.normal());
      b.push_back(0.6 * a.back() + 0.8 * draws.normal());
    }
    const Correlation found = *correlation_95(&kendall_tau_b, a, b, sample);
    if (found.low <= tau && tau <= found.high) ++covered;
  }
  EXPECT_GE(covered, 178);  // 89 %
  EXPECT_LE(covered, 199);
}

}  // namespace
}  // namespace effnet::search
