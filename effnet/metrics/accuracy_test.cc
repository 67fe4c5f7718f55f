#include "effnet/metrics/accuracy.h"

#include <gtest/gtest.h>

#include <cmath>

namespace effnet::metrics {
namespace {

TEST(Accuracy, CountsTop1AndTop5) {
  Accuracy accuracy(6);
  accuracy.add(std::vector<float>{9, 1, 2, 3, 4, 5}, 0);  // first
  accuracy.add(std::vector<float>{9, 1, 2, 3, 4, 5}, 2);  // fifth
  accuracy.add(std::vector<float>{9, 1, 2, 3, 4, 5}, 1);  // sixth
  accuracy.add(std::vector<float>{0, 0, 0, 0, 0, 7}, 5);  // first
  EXPECT_EQ(accuracy.images(), 4);
  EXPECT_DOUBLE_EQ(accuracy.top1_percent(), 50);
  EXPECT_DOUBLE_EQ(accuracy.top5_percent(), 75);
  EXPECT_DOUBLE_EQ(accuracy.mean_per_class_percent(), 50);  // classes 0, 5 right; 1, 2 wrong
}

TEST(Accuracy, MeanPerClassWeightsClassesEqually) {
  Accuracy accuracy(2);
  for (int i = 0; i < 9; ++i) accuracy.add(std::vector<float>{1, 0}, 0);
  accuracy.add(std::vector<float>{1, 0}, 1);
  EXPECT_DOUBLE_EQ(accuracy.top1_percent(), 90);
  EXPECT_DOUBLE_EQ(accuracy.mean_per_class_percent(), 50);
}

TEST(Accuracy, TiesGoToTheSmallerIndexAndNanIsNeverRight) {
  Accuracy ties(3);
  ties.add(std::vector<float>{1, 1, 1}, 0);
  ties.add(std::vector<float>{1, 1, 1}, 2);
  EXPECT_DOUBLE_EQ(ties.top1_percent(), 50);
  Accuracy with_nan(3);
  with_nan.add(std::vector<float>{NAN, 2, 1}, 1);
  with_nan.add(std::vector<float>{2, NAN, 1}, 1);
  EXPECT_DOUBLE_EQ(with_nan.top1_percent(), 0);
}

TEST(Accuracy, WorstClassHasTheSmallestRecallAndThenMostImages) {
  Accuracy accuracy(4);  // class 0 has no images
  EXPECT_FALSE(accuracy.worst_class());
  const std::vector<float> predicts_1{0, 1, 0, 0}, predicts_2{0, 0, 1, 0};
  EXPECT_EQ(accuracy.add(predicts_1, 1), 0);
  EXPECT_EQ(accuracy.add(predicts_2, 1), 2);  // rank: class 2, and class 0 with an equal logit
  EXPECT_EQ(accuracy.worst_class()->index, 1);
  for (int i = 0; i < 2; ++i) accuracy.add(predicts_2, 2);
  for (int i = 0; i < 2; ++i) accuracy.add(predicts_1, 2);
  EXPECT_EQ(accuracy.worst_class()->index, 2);  // 2 of 4 is as small as 1 of 2
  EXPECT_EQ(accuracy.worst_class()->images, 4);
  EXPECT_EQ(accuracy.worst_class()->right, 2);
  EXPECT_DOUBLE_EQ(accuracy.worst_class()->percent(), 50);
  EXPECT_EQ(accuracy.right(), 3);
  accuracy.add(predicts_1, 3);
  EXPECT_EQ(accuracy.worst_class()->index, 3);
}

TEST(Accuracy, IsZeroWithoutImages) { EXPECT_EQ(Accuracy(3).mean_per_class_percent(), 0); }

}  // namespace
}  // namespace effnet::metrics
