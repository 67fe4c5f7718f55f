#include "effnet/report/run_warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace effnet::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Predictions for `total` images; the labels cycle through `classes` classes; the first `right` predictions are right.
std::vector<Prediction> predictions_with(std::int64_t right, std::int64_t total, std::int64_t classes) {
  std::vector<Prediction> predictions;
  for (std::int64_t i = 0; i < total; ++i)
    predictions.push_back(
        {.name = "p", .label = i % classes, .predicted = i < right ? i % classes : (i + 1) % classes});
  return predictions;
}

EpochMetrics row(double train, std::optional<double> plain = {}, std::optional<double> average = {}) {
  return {.epoch = 1,
          .step = 10,
          .train_top1 = train,
          .val_loss = {},
          .val_top1 = plain,
          .val_top5 = {},
          .val_ema_top1 = average};
}

TEST(ResultWarnings, AGoodRunHasNone) {
  EXPECT_THAT(result_warnings({row(97, 95, 96)}, 1, predictions_with(39, 41, 10)), IsEmpty());
  EXPECT_THAT(result_warnings({row(78, 77)}, 1, predictions_with(385, 500, 100)), IsEmpty());
  EXPECT_THAT(result_warnings({row(90)}, 1, {}), IsEmpty());  // no validation images
}

TEST(ResultWarnings, ValidationNotAboveChanceIsAWarning) {
  EXPECT_THAT(result_warnings({row(30, 10)}, 1, predictions_with(4, 41, 10)),
              ElementsAre(HasSubstr("4 of 41 images are right (9.76 %), and predicting the largest "
                                    "class for all images gives 12.20 %")));
  // Two classes, one nine times as large as the other: chance is 90 %.
  std::vector<Prediction> uneven(100);
  for (std::size_t i = 0; i < 10; ++i) uneven[i].label = 1;
  EXPECT_THAT(result_warnings({row(91, 90)}, 1, uneven), ElementsAre(HasSubstr("gives 90.00 %")));
  EXPECT_THAT(result_warnings({}, 1, predictions_with(4, 41, 10)), ElementsAre(HasSubstr("chance")));
}

TEST(ResultWarnings, TooFewImagesAreAWarningOfTheirOwn) {
  EXPECT_THAT(result_warnings({row(80, 75)}, 1, predictions_with(6, 8, 2)),
              ElementsAre(HasSubstr("too few images to tell the accuracy from chance: 6 of 8 images are right")));
}

TEST(ResultWarnings, TrainingFarAboveValidationIsAWarning) {
  EXPECT_THAT(result_warnings({row(97, 24)}, 1, predictions_with(10, 41, 10)),
              ElementsAre(HasSubstr("training accuracy (97.00 %) is far above the accuracy on other images "
                                    "(24.39 %, 95 % interval 13.")));
  EXPECT_THAT(result_warnings({row(50), row(97, 24)}, 0, predictions_with(10, 41, 10)),
              ElementsAre(HasSubstr("97.00 %")));  // epoch 0 means the last row
}

TEST(ResultWarnings, AveragedWeightsWithLowerAccuracyAreAWarning) {
  EXPECT_THAT(result_warnings({row(60, 90, 50)}, 1, predictions_with(50, 100, 10)),
              ElementsAre(HasSubstr("ema.decay")));
  EXPECT_THAT(result_warnings({row(60, 55, 50)}, 1, predictions_with(50, 100, 10)),
              IsEmpty());  // 55 % is inside the interval of 50 right of 100 images
}

}  // namespace
}  // namespace effnet::report
