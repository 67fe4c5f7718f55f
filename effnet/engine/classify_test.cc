#include "effnet/engine/classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

namespace effnet::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Softmax, KnownValues) {
  // The logits are ln 1, ln 3 and ln 4, so the probabilities are 1/8, 3/8 and 4/8. The rounding error of a logit is at
  // most 2^-24 * ln 4.
  const std::vector<float> logits{0.0F, std::log(3.0F), std::log(4.0F)};
  const std::vector<double> p = softmax(logits);
  EXPECT_NEAR(p[0], 0.125, 1e-7);
  EXPECT_NEAR(p[1], 0.375, 1e-7);
  EXPECT_NEAR(p[2], 0.5, 1e-7);
}

// Logits twice as large at temperature 2 give the same probabilities: ln 1, ln 9 and ln 16 are twice ln 1, ln 3, ln 4.
TEST(Softmax, DividesByTheTemperature) {
  const std::vector<double> p = softmax(std::vector<float>{0.0F, std::log(9.0F), std::log(16.0F)}, 2);
  EXPECT_NEAR(p[0], 0.125, 1e-7);
  EXPECT_NEAR(p[1], 0.375, 1e-7);
  EXPECT_NEAR(p[2], 0.5, 1e-7);
}

TEST(Softmax, LargeLogitsDoNotOverflow) {
  const std::vector<float> logits{3e38F, -3e38F, 3e38F};
  EXPECT_THAT(softmax(logits), ElementsAre(0.5, 0.0, 0.5));
  EXPECT_THAT(softmax(std::vector<float>{-kInfinity, 0.0F}), ElementsAre(0.0, 1.0));
  EXPECT_THAT(softmax({}), IsEmpty());
}

TEST(Softmax, SumsToOne) {
  std::vector<float> logits(1000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 37) * 0.3F;
  const std::vector<double> p = softmax(logits);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1000 * 0x1p-52);
}

TEST(Softmax, NanIsNotHidden) {
  for (const std::vector<float>& logits :
       {std::vector<float>{kNan, 1.0F}, {1.0F, kNan}, {1.0F, kInfinity}, {-kInfinity, -kInfinity}}) {
    for (const double p : softmax(logits)) EXPECT_TRUE(std::isnan(p));
  }
}

TEST(TopK, BestFirstAndTiesByIndex) {
  const std::vector<float> scores{1, 5, 3, 5, -2, 3};
  EXPECT_THAT(top_k(scores, 4), ElementsAre(Ranked{1, 5}, Ranked{3, 5}, Ranked{2, 3}, Ranked{5, 3}));
  EXPECT_EQ(top_k(scores, 100).size(), 6U);
  EXPECT_THAT(top_k(scores, 0), IsEmpty());
  EXPECT_THAT(top_k({}, 3), IsEmpty());
}

TEST(TopK, AllEqual) {
  const std::vector<float> scores(50, 0.25F);
  const std::vector<Ranked> top = top_k(scores, 5);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(top[i].index, i);
}

TEST(TopK, NanComesLast) {
  const std::vector<float> scores{kNan, 1, kNan, kInfinity, -kInfinity};
  std::vector<std::size_t> order;
  for (const Ranked& ranked : top_k(scores, 5)) order.push_back(ranked.index);
  EXPECT_THAT(order, ElementsAre(3, 1, 4, 0, 2));
}

}  // namespace
}  // namespace effnet::engine
