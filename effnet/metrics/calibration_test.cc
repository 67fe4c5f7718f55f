#include "effnet/metrics/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

namespace effnet::metrics {
namespace {

TEST(Calibration, MatchesValuesComputedByHand) {
  // Two bins of width 0.5. Bin (0, 0.5] has the confidences 0.4 (right) and 0.5 (wrong); bin (0.5, 1] has 0.9 (right),
  // 0.8 (wrong) and 0.7 (right).
  const std::vector<ScoredPrediction> predictions{
      {0.4, 0.4, true}, {0.5, 0.25, false}, {0.9, 0.9, true}, {0.8, 0.1, false}, {0.7, 0.7, true}};
  const Calibration c = calibrate(predictions, 2);
  EXPECT_EQ(c.images, 5);
  ASSERT_EQ(c.bins.size(), 2U);
  EXPECT_EQ(c.bins[0].images, 2);
  EXPECT_DOUBLE_EQ(c.bins[0].confidence, 0.45);
  EXPECT_DOUBLE_EQ(c.bins[0].accuracy, 0.5);
  EXPECT_EQ(c.bins[1].images, 3);
  EXPECT_NEAR(c.bins[1].confidence, 0.8, 1e-15);
  EXPECT_NEAR(c.bins[1].accuracy, 2.0 / 3, 1e-15);
  // 2/5 * |0.5 - 0.45| + 3/5 * |2/3 - 0.8| = 0.02 + 0.08
  EXPECT_NEAR(c.ece, 0.1, 1e-15);
  EXPECT_NEAR(c.mce, 0.8 - 2.0 / 3, 1e-15);
  EXPECT_NEAR(c.confidence, 0.66, 1e-15);
  EXPECT_NEAR(c.accuracy, 0.6, 1e-15);
  // (0.6^2 + 0.5^2 + 0.1^2 + 0.8^2 + 0.3^2) / 5 = 1.35 / 5
  EXPECT_NEAR(c.brier, 0.27, 1e-15);
  // -ln(0.4 * 0.25 * 0.9 * 0.1 * 0.7) / 5 = -ln(0.0063) / 5
  EXPECT_NEAR(c.nll, -std::log(0.0063) / 5, 1e-15);
  EXPECT_EQ(c.zero_probability, 0);
}

TEST(Calibration, ZeroAndOneGoIntoTheFirstAndLastBin) {
  const Calibration c = calibrate({{0, 0, false}, {1, 1, true}, {1.0000001, 1, true}}, 15);
  EXPECT_EQ(c.bins.front().images, 1);
  EXPECT_EQ(c.bins.back().images, 2);
  EXPECT_TRUE(std::isinf(c.nll));
  EXPECT_EQ(c.zero_probability, 1);
}

TEST(Calibration, SkipsProbabilitiesThatAreNotNumbers) {
  const Calibration c = calibrate({{NAN, 0.5, false}, {0.5, NAN, false}, {1, 1, true}});
  EXPECT_EQ(c.skipped, 2);
  EXPECT_EQ(c.images, 1);
  EXPECT_EQ(c.ece, 0);
  EXPECT_EQ(c.nll, 0);
}

TEST(Calibration, IsZeroWithoutImages) {
  const Calibration c = calibrate({});
  EXPECT_EQ(c.images, 0);
  EXPECT_EQ(c.ece, 0);
  EXPECT_EQ(c.bins.size(), 15U);
}

}  // namespace
}  // namespace effnet::metrics
