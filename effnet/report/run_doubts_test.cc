#include "effnet/report/run_doubts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace effnet::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// `right` of `total` images of `classes` classes in turn.
std::vector<Prediction> answers(std::int64_t right, std::int64_t total, std::int64_t classes) {
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

TEST(Doubts, AGoodRunHasNone) {
  EXPECT_THAT(doubts({row(97, 95, 96)}, 1, answers(39, 41, 10)), IsEmpty());
  EXPECT_THAT(doubts({row(78, 77)}, 1, answers(385, 500, 100)), IsEmpty());
  EXPECT_THAT(doubts({row(90)}, 1, {}), IsEmpty());  // nothing to validate on
}

TEST(Doubts, ValidationAtChance) {
  EXPECT_THAT(doubts({row(30, 10)}, 1, answers(4, 41, 10)),
              ElementsAre(HasSubstr("4 of 41 images are right (9.76 %), one answer for all would have 12.20 %")));
  // Of two classes, one nine times as large: 90 % are chance.
  std::vector<Prediction> uneven(100);
  for (std::size_t i = 0; i < 10; ++i) uneven[i].label = 1;
  EXPECT_THAT(doubts({row(91, 90)}, 1, uneven), ElementsAre(HasSubstr("would have 90.00 %")));
  EXPECT_THAT(doubts({}, 1, answers(4, 41, 10)), ElementsAre(HasSubstr("chance")));
}

TEST(Doubts, TrainingFarAboveValidation) {
  EXPECT_THAT(doubts({row(97, 24)}, 1, answers(10, 41, 10)),
              ElementsAre(HasSubstr("training (97.00 %) is far above validation (24.39 %, 13.")));
  EXPECT_THAT(doubts({row(50), row(97, 24)}, 0, answers(10, 41, 10)),
              ElementsAre(HasSubstr("97.00 %")));  // the last row
}

TEST(Doubts, AnAverageBehindItsWeights) {
  EXPECT_THAT(doubts({row(60, 90, 50)}, 1, answers(50, 100, 10)), ElementsAre(HasSubstr("ema.decay")));
  EXPECT_THAT(doubts({row(60, 55, 50)}, 1, answers(50, 100, 10)), IsEmpty());  // within what 100 images can tell
}

}  // namespace
}  // namespace effnet::report
