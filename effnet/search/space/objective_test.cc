#include "effnet/search/space/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "effnet/base/error.h"

namespace effnet::search {
namespace {

// EfficientNet-B0's search: 400 million MACs, weight -0.07 (Tan & Le 2019, section 4).
Objective of(ObjectiveForm form) { return {.form = form, .cost = "macs", .target = 400e6, .weight = -0.07}; }

TEST(Objective, SoftIsTheAccuracyAtTheTarget) { EXPECT_EQ(reward(of(ObjectiveForm::soft), 0.771, 400e6), 0.771); }

TEST(Objective, SoftChangesByTheWeightWithEachDoubling) {
  const double factor = std::exp2(-0.07);  // 0.953
  EXPECT_DOUBLE_EQ(reward(of(ObjectiveForm::soft), 0.771, 800e6), 0.771 * factor);
  EXPECT_DOUBLE_EQ(reward(of(ObjectiveForm::soft), 0.771, 200e6), 0.771 / factor);
  // MnasNet, section 3: a network with twice the latency gains about 5 % of accuracy, relative, to be as good.
  EXPECT_NEAR(1 / factor, 1.05, 0.001);
  Objective indifferent = of(ObjectiveForm::soft);
  indifferent.weight = 0;
  EXPECT_EQ(reward(indifferent, 0.5, 1e12), 0.5);
}

// MnasNet, section 3: alpha = 0, beta = -1.
TEST(Objective, HardCountsOnlyWhatExceedsTheTarget) {
  EXPECT_EQ(reward(of(ObjectiveForm::hard), 0.771, 1e6), 0.771);
  EXPECT_EQ(reward(of(ObjectiveForm::hard), 0.771, 400e6), 0.771);
  EXPECT_EQ(reward(of(ObjectiveForm::hard), 0.771, 800e6), 0.771 / 2);
  EXPECT_EQ(reward(of(ObjectiveForm::hard), 0.771, 1600e6), 0.771 / 4);
}

TEST(Objective, LimitIsTheQuality) {
  EXPECT_EQ(reward(of(ObjectiveForm::limit), 0.771, 1e6), 0.771);
  EXPECT_EQ(reward(of(ObjectiveForm::limit), -12.5, 400e6), -12.5);
}

TEST(Objective, RefusesNumbersOutOfRange) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto refused = [](double target, double weight) {
    try {
      check({.form = ObjectiveForm::soft, .cost = "macs", .target = target, .weight = weight});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused(400e6, -0.07));
  EXPECT_FALSE(refused(1e-3, 0));
  for (const double target : {0.0, -1.0, std::nan(""), kInfinity}) EXPECT_TRUE(refused(target, -0.07)) << target;
  for (const double weight : {0.01, std::nan(""), -kInfinity}) EXPECT_TRUE(refused(400e6, weight)) << weight;
}

}  // namespace
}  // namespace effnet::search
