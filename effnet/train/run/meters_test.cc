#include "effnet/train/run/meters.h"

#include <gtest/gtest.h>

namespace effnet::train {
namespace {

const Recipe kTwoEpochs = parse_recipe("", "defaults", {{"train.epochs", "2"}, {"optimizer.lr", "0.5"}});

TEST(Meters, RowHasTheMeansOverTheImagesOfTheEpoch) {
  Position position{.epoch = 4, .best_top1 = 50};
  const Timeline timeline(kTwoEpochs, 2, position);
  Meters meters(timeline, position);
  meters.add({.loss = 6, .right = 1, .images = 3}, 0.5);
  meters.add({.loss = 2, .right = 1, .images = 1}, 1.5);
  EXPECT_EQ(position.batch, 2);
  EXPECT_EQ(meters.epoch_s(), 2);
  report::EpochMetrics row = meters.row();
  EXPECT_EQ(row.epoch, 5);
  EXPECT_EQ(row.step, 10);
  EXPECT_EQ(row.lr, timeline.learning_rate_of_step(9));  // the learning rate of the last step
  EXPECT_EQ(row.train_loss, 2);
  EXPECT_EQ(row.train_top1, 50);
  EXPECT_EQ(row.images_per_second, 2);
  EXPECT_FALSE(row.score());
  Validation validation;
  validation.top1 = 20;
  validation.average_top1 = 30;
  set_validation(validation, row);
  EXPECT_EQ(row.val_top1, 20);
  EXPECT_EQ(row.score(), 30);

  meters.begin_next_epoch();
  EXPECT_EQ(position.epoch, 5U);
  EXPECT_EQ(position.batch, 0);
  EXPECT_EQ(position.images, 0);
  EXPECT_EQ(position.best_top1, 50);  // belongs to the run, so it is kept
  EXPECT_EQ(meters.epoch_s(), 0);
}

// Sums continue from the checkpoint. Times include only the steps of this process.
TEST(Meters, ContinueWithinAnEpoch) {
  Position position{.epoch = 0, .batch = 2, .loss_sum = 4, .right = 2, .images = 4};
  const Timeline timeline(kTwoEpochs, 4, position);
  Meters meters(timeline, position);
  meters.add({.loss = 2, .right = 1, .images = 2}, 0.25);
  const Progress progress = meters.progress(0.1);
  EXPECT_EQ(progress.epoch, 1);
  EXPECT_EQ(progress.step, 3);
  EXPECT_EQ(progress.steps_per_epoch, 4);
  EXPECT_EQ(progress.epochs, 2);
  EXPECT_EQ(progress.lr, 0.1);
  EXPECT_EQ(progress.loss, 1);
  EXPECT_EQ(progress.top1, 50);
  EXPECT_EQ(progress.images_per_second, 8);
  EXPECT_EQ(progress.seconds_left, 5 * 0.25);
}

// An earlier process did all steps of the epoch and ended before it wrote the epoch's line.
TEST(Meters, SpeedIsZeroWithoutAStep) {
  Position position{.epoch = 0, .batch = 4, .loss_sum = 4, .right = 2, .images = 4};
  const Timeline timeline(kTwoEpochs, 4, position);
  const Meters meters(timeline, position);
  EXPECT_EQ(meters.row().images_per_second, 0);
  EXPECT_EQ(meters.epoch_s(), 0);
}

TEST(Meters, SumOverOneRankIsItsOwnResult) {
  const auto group = single_process();
  const StepSums sums = sum_over_ranks({.loss = 1.5, .right = 2, .images = 4}, true, *group, torch::kCPU);
  EXPECT_EQ(sums.loss, 6);
  EXPECT_EQ(sums.right, 2);
  EXPECT_EQ(sums.images, 4);
  EXPECT_TRUE(sums.stopping);
}

}  // namespace
}  // namespace effnet::train
