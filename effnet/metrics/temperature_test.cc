#include "effnet/metrics/temperature.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"

namespace effnet::metrics {
namespace {

// Values from tests/golden/metrics/make_paired.py (50 digits, ternary search).
TEST(Temperature, MatchesASearchWithManyDigits) {
  const std::vector<float> logits{2, 0.5F, -1, 0.25F, 3, 1, 1.5F, 1, 0, -2, 0, 4, 0.5F, 2.5F, 2, 3, -1, 0.75F};
  const std::vector<std::int64_t> labels{0, 1, 1, 2, 2, 0};
  const LabelledLogits images{3, logits, labels};
  EXPECT_NEAR(nll_at(images, 1), 0.453221220260238, 1e-14);
  EXPECT_NEAR(nll_at(images, 2.5), 0.667627079852511, 1e-14);
  EXPECT_NEAR(fit_temperature(images), 0.716497804508, 1e-9);
}

// With two classes and the same logits (z, 0) for every image, the best score equals the fraction of class 0: p =
// 1 / (1 + exp(-z / T)), so T = z / ln(p / (1 - p)).
TEST(Temperature, TwoClassesHaveAClosedForm) {
  for (const float z : {0.5F, 3.0F, 40.0F}) {
    std::vector<float> logits;
    std::vector<std::int64_t> labels;
    for (int i = 0; i < 50; ++i) {
      logits.insert(logits.end(), {z, 0});
      labels.push_back(i < 49 - static_cast<int>(z) ? 0 : 1);
    }
    const auto zeros = static_cast<double>(std::count(labels.begin(), labels.end(), 0));
    const double expected = std::clamp(z / std::log(zeros / (50 - zeros)), kMinTemperature, kMaxTemperature);
    EXPECT_NEAR(fit_temperature({2, logits, labels}), zeros < 25 ? kMaxTemperature : expected, 1e-8) << z;
  }
}

TEST(Temperature, StaysWithinItsBounds) {
  const std::vector<float> logits{5, 0, 0, 5};
  const std::vector<std::int64_t> right{0, 1}, wrong{1, 0};
  EXPECT_EQ(fit_temperature({2, logits, right}), kMinTemperature);
  EXPECT_EQ(fit_temperature({2, logits, wrong}), kMaxTemperature);
  EXPECT_EQ(fit_temperature({2, {}, {}}), 1);
  const std::vector<float> one_class{3, -7};
  const std::vector<std::int64_t> zeros{0, 0};
  EXPECT_EQ(fit_temperature({1, one_class, zeros}), kMaxTemperature);  // every temperature gives the NLL 0
}

TEST(Temperature, RefusesLogitsThatAreNotFinite) {
  const std::vector<float> logits{1, INFINITY};
  const std::vector<std::int64_t> labels{0}, outside{2};
  EXPECT_THROW(fit_temperature({2, logits, labels}), Error);
  const std::vector<float> finite{1, 2};
  EXPECT_THROW(fit_temperature({2, finite, outside}), Error);
  EXPECT_THROW(nll_at({2, {}, {}}, 1), Error);
}

// `right` images of class 0 and `wrong` ones of class 1, all with the logits (z, 0): fit_temperature() gives
// z / ln(right / wrong), and kMinTemperature without a wrong one.
double calibrated(float z, std::size_t right, std::size_t wrong) {
  std::vector<float> logits;
  std::vector<std::int64_t> labels(right, 0);
  labels.insert(labels.end(), wrong, 1);
  for (std::size_t i = 0; i < labels.size(); ++i) logits.insert(logits.end(), {z, 0});
  return calibrated_temperature({2, logits, labels});
}

TEST(CalibratedTemperature, FewImagesChangeTheScoresLittle) {
  // The exponent is 13 / (13 + 20) for 13 images and 1000 / 1020 for 1000.
  EXPECT_NEAR(calibrated(1, 13, 0), std::pow(kMinTemperature, 13.0 / 33), 1e-9);
  EXPECT_NEAR(calibrated(1, 900, 100), std::pow(1 / std::log(9.0), 1000.0 / 1020), 1e-7);
  EXPECT_EQ(calibrated_temperature({2, {}, {}}), 1);
}

TEST(CalibratedTemperature, TheMeanConfidenceIsAtMostThatOfLaplacesRule) {
  // 13 of 13: (13 + 1) / (13 + 2) = 14 / 15, which is the confidence at z / T = ln 14.
  EXPECT_NEAR(calibrated(3, 13, 0), 3 / std::log(14.0), 1e-9);
  EXPECT_NEAR(calibrated(8, 100, 0), 8 / std::log(101.0), 1e-9);
  EXPECT_NEAR(calibrated(3, 7, 3), 3 / std::log(2.0), 1e-9) << "8 / 12";
  EXPECT_EQ(calibrated(100, 1, 1), kMaxTemperature) << "the limit of 1 / 2 cannot be reached";
}

TEST(Temperature, ScoredGivesSoftmaxProbabilities) {
  const std::vector<float> logits{2, 0, 1000, 1000};
  const std::vector<std::int64_t> labels{1, 0};
  const std::vector<ScoredPrediction> predictions = scored({2, logits, labels}, 2);
  ASSERT_EQ(predictions.size(), 2U);
  EXPECT_NEAR(predictions[0].confidence, 1 / (1 + std::exp(-1.0)), 1e-15);
  EXPECT_NEAR(predictions[0].of_label, 1 / (1 + std::exp(1.0)), 1e-15);
  EXPECT_FALSE(predictions[0].right);
  EXPECT_EQ(predictions[1].confidence, 0.5);
  EXPECT_TRUE(predictions[1].right);  // equal logits: the smaller index
}

ScoredPrediction predicted(double confidence, bool right) { return {.confidence = confidence, .right = right}; }

// wilson_95 of n right of n has the lower bound n / (n + z^2), z^2 = 3.8415: 73 of 73 gives 0.9500 (72: 0.9494).
TEST(MinScore, IsTheSmallestScoreThatReachesTheTarget) {
  std::vector<ScoredPrediction> predictions;
  for (int i = 0; i < 80; ++i) predictions.push_back(predicted(0.99 - 0.001 * i, true));
  for (int i = 0; i < 20; ++i) predictions.push_back(predicted(0.5 - 0.001 * i, i % 2 == 0));
  const MinScore chosen = choose_min_score(predictions, 0.95);
  // All 80, and the next image, which is right: 81 of 81 gives 0.9547. The next one is wrong.
  EXPECT_TRUE(chosen.reaches);
  EXPECT_DOUBLE_EQ(chosen.min_score, 0.5);
  EXPECT_DOUBLE_EQ(chosen.coverage, 0.81);
  EXPECT_EQ(chosen.accuracy, 1);
  EXPECT_NEAR(chosen.interval.low, 81 / (81 + 3.841459), 1e-6);
}

TEST(MinScore, ATargetNeedsImages) {
  // n / (n + 3.8415) >= target, so n >= 3.8415 target / (1 - target).
  EXPECT_EQ(images_for(0.95), 73);
  EXPECT_EQ(images_for(0.5), 4);
  EXPECT_EQ(images_for(0), 0);
}

TEST(MinScore, AcceptsAllImagesIfTheyReachTheTarget) {
  std::vector<ScoredPrediction> predictions(73, predicted(0.6, true));
  EXPECT_EQ(choose_min_score(predictions).min_score, 0);
  EXPECT_EQ(choose_min_score(predictions).coverage, 1);
  predictions.pop_back();
  EXPECT_FALSE(choose_min_score(predictions).reaches);
}

TEST(MinScore, TakesTheBestLowerBoundIfNoScoreReachesTheTarget) {
  std::vector<ScoredPrediction> predictions(10, predicted(0.9, true));
  for (int i = 0; i < 10; ++i) predictions.push_back(predicted(0.4, false));
  const MinScore chosen = choose_min_score(predictions, 0.95);
  EXPECT_FALSE(chosen.reaches);
  EXPECT_DOUBLE_EQ(chosen.min_score, 0.9);
  EXPECT_DOUBLE_EQ(chosen.coverage, 0.5);
}

TEST(MinScore, EqualScoresAreAcceptedTogether) {
  std::vector<ScoredPrediction> predictions(100, predicted(0.7, true));
  for (int i = 0; i < 100; ++i) predictions.push_back(predicted(0.7, false));
  const MinScore chosen = choose_min_score(predictions, 0.95);
  EXPECT_EQ(chosen.min_score, 0);
  EXPECT_DOUBLE_EQ(chosen.accuracy, 0.5);
}

TEST(MinScore, WithoutUsableImagesAcceptsEverything) {
  EXPECT_EQ(choose_min_score({}).min_score, 0);
  EXPECT_EQ(choose_min_score({predicted(NAN, true)}).min_score, 0);
  EXPECT_FALSE(choose_min_score({}).reaches);
}

}  // namespace
}  // namespace effnet::metrics
