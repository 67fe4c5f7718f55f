#include "effnet/train/run/timeline.h"

#include <gtest/gtest.h>

namespace effnet::train {
namespace {

Recipe recipe_with(const std::vector<Override>& overrides) { return parse_recipe("", "defaults", overrides); }

TEST(Timeline, CountsTheStepsOfARunThatEndsWithinAnEpoch) {
  const Recipe recipe = recipe_with({{"train.epochs", "2.5"}});
  Position position;
  const Timeline timeline(recipe, 7, position);
  EXPECT_EQ(timeline.steps_in_all(), 18);  // 2.5 * 7 = 17.5, rounded
  int steps = 0, closed = 0;
  while (!timeline.run_is_over()) {
    if (timeline.epoch_is_over()) {
      position.begin_next_epoch();
      ++closed;
    } else {
      EXPECT_EQ(timeline.steps_done(), steps);
      ++position.batch;
      ++steps;
    }
  }
  EXPECT_EQ(steps, 18);
  EXPECT_EQ(closed, 3);
}

TEST(Timeline, HasAtLeastOneStep) {
  const Recipe recipe = recipe_with({{"train.epochs", "0.01"}});
  EXPECT_EQ(Timeline(recipe, 7, Position{}).steps_in_all(), 1);
}

TEST(Timeline, LengthIsUnknownUntilATimeBudgetIsFitted) {
  const Recipe recipe = recipe_with({{"train.epochs", "1"}, {"train.time_budget", "1m"}});
  Position position{.epoch = 3, .batch = 4};
  const Timeline timeline(recipe, 8, position);
  EXPECT_EQ(timeline.steps_in_all(), std::nullopt);
  EXPECT_FALSE(timeline.epoch_is_over());
  EXPECT_EQ(timeline.epochs_done(), 3.5);
  position.epochs = 3.5;
  EXPECT_EQ(timeline.steps_in_all(), 28);
  EXPECT_TRUE(timeline.epoch_is_over());
  EXPECT_FALSE(timeline.run_is_over());
}

// The run is fitted to 5 of 10 epochs: the warm-up has half the steps, and the cosine ends at the end of the run.
TEST(Timeline, ScheduleIsStretchedToTheLengthOfTheRun) {
  const Recipe recipe = recipe_with({{"train.epochs", "10"},
                                     {"train.time_budget", "1m"},
                                     {"optimizer.lr", "0.5"},
                                     {"schedule.name", "cosine"},
                                     {"schedule.warmup_epochs", "2"}});
  const Position position{.epochs = 5};
  const Timeline timeline(recipe, 100, position);
  EXPECT_EQ(timeline.learning_rate_of_step(0), 0);
  EXPECT_DOUBLE_EQ(timeline.learning_rate_of_step(50), 0.25);
  EXPECT_DOUBLE_EQ(timeline.learning_rate_of_step(100), 0.5);
  EXPECT_DOUBLE_EQ(timeline.learning_rate_of_step(300), 0.25);
  EXPECT_NEAR(timeline.learning_rate_of_step(500), 0, 1e-15);
}

TEST(Timeline, ValidationAndCheckpointsFollowTheRecipe) {
  const Recipe recipe = recipe_with({{"train.validate_every", "2.5"}, {"checkpoint.every_steps", "4"}});
  Position position;
  const Timeline timeline(recipe, 8, position);
  std::vector<std::int64_t> validated, saved;
  for (std::int64_t epoch = 1; epoch <= 10; ++epoch) {
    if (timeline.validation_is_due(epoch)) validated.push_back(epoch);
  }
  EXPECT_EQ(validated, (std::vector<std::int64_t>{3, 5, 8, 10}));
  for (position.batch = 1; position.batch <= 8; ++position.batch) {
    if (timeline.checkpoint_is_due()) saved.push_back(position.batch);
  }
  EXPECT_EQ(saved, (std::vector<std::int64_t>{4}));  // not 8: the end of the epoch has its own checkpoint
}

}  // namespace
}  // namespace effnet::train
