#include "effnet/train/run/time_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet::train {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// 970 of 1000 s are planned, 70 s are spent, and 10 s for a validation and 10 s for the predictions are reserved. This
// leaves 880 s for epochs of 80 + 10 / 2 s.
TEST(TimeBudget, UsesTheRemainingTime) {
  const RunCosts costs{.spent_s = 70,
                       .epoch_s = 80,
                       .validation_s = 10,
                       .predictions_s = 10,
                       .validate_every = 2,
                       .epochs_done = 0.5,
                       .steps_per_epoch = 100};
  EXPECT_DOUBLE_EQ(fitted_epochs(1000, costs), 0.5 + 10.35);
}

TEST(TimeBudget, AddsAtLeastOneStep) {
  const RunCosts costs{.spent_s = 50, .epoch_s = 80, .validation_s = 10, .epochs_done = 2, .steps_per_epoch = 4};
  EXPECT_DOUBLE_EQ(fitted_epochs(30, costs), 2.25);
}

// At least 3 s of training for each second of validation.
TEST(TimeBudget, ValidationTakesAtMostAThirdOfTheTrainingTime) {
  EXPECT_EQ(fitted_validate_every({.epoch_s = 30, .validation_s = 10}), 1);
  EXPECT_EQ(fitted_validate_every({.epoch_s = 29, .validation_s = 10}), 2);
  EXPECT_EQ(fitted_validate_every({.epoch_s = 1, .validation_s = 10}), 30);
  EXPECT_EQ(fitted_validate_every({.epoch_s = 30, .validation_s = 0}), 1);
}

// 5 s are spent, 2 s of them in steps; a validation takes 20 s, the predictions 10 s, a step 1 s. One more step needs
// (5 + 20 + 10 + 1) / 0.97 = 37.1 s. Everything except training takes (5 - 2) + 20 + 10 = 33 s. Training gets half of a
// budget of 2 * 33 / 0.97 = 68.04 s or more.
TEST(TimeBudget, MessagesNameTheSmallestSensibleBudget) {
  const RunCosts costs{.spent_s = 5,
                       .steps_s = 2,
                       .epoch_s = 100,
                       .validation_s = 20,
                       .predictions_s = 10,
                       .epochs_done = 0.02,
                       .steps_per_epoch = 100};
  EXPECT_THAT(check_budget(38, costs), AllOf(HasSubstr("warning: a time budget of 38 s leaves 10 % for training"),
                                             HasSubstr("69 s or more leave at least half")));
  EXPECT_NE(check_budget(68, costs), "");
  EXPECT_EQ(check_budget(69, costs), "");
  EXPECT_EQ(check_budget(7200, costs), "");
  try {
    check_budget(37, costs);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("too short (got 37 s, expected at least 69 s"),
                                    HasSubstr("loading and measuring take 3.0 s"), HasSubstr("a validation 20.0 s")));
  }
}

// With slow steps (100 s each) the smallest budget must still fit one step.
TEST(TimeBudget, OneStepMustFit) {
  const RunCosts costs{.spent_s = 1, .epoch_s = 1000, .steps_per_epoch = 10};
  EXPECT_THROW(check_budget(50, costs), Error);
  EXPECT_EQ(check_budget(105, costs), "");
}

Recipe with_budget(const std::string& text) { return parse_recipe("", "", {{"train.time_budget", text}}); }

TEST(TimeBudget, IsReadyAfterEnoughStepsOrAQuarterOfTheBudget) {
  EXPECT_FALSE(TimeBudget(Recipe{}).on());
  TimeBudget long_one(with_budget("100s"));
  for (int step = 0; step < 7; ++step) long_one.add_step(1);
  EXPECT_FALSE(long_one.ready(8, false));  // 7 steps, of which 4 are measured
  long_one.add_step(1);
  EXPECT_TRUE(long_one.ready(9, false));  // 5 measured steps, whose 5 s are more than 2 % of the budget
  TimeBudget short_one(with_budget("4s"));
  EXPECT_FALSE(short_one.ready(2, false));  // no step yet
  short_one.add_step(1);
  EXPECT_FALSE(short_one.ready(0.9, false));
  EXPECT_TRUE(short_one.ready(1, false));  // a quarter of the budget is spent
}

// 97 of 100 s are planned, 4 s are spent, a step takes 1 s, a validation 20 s, the predictions 10 s. With epochs of
// 10 s, a validation is due every 6 epochs.
TEST(TimeBudget, FitsLengthAndValidation) {
  const auto group = single_process();
  TimeBudget budget(with_budget("100s"));
  for (int step = 0; step < 4; ++step) budget.add_step(1);
  EXPECT_TRUE(budget.validation_is_due(1));
  budget.set_validation({.validate_s = 20, .predict_s = 10});
  std::string warning;
  const double epochs = budget.fit({.spent_s = 4, .epochs_done = 0.4, .steps_per_epoch = 10}, *group, warning);
  EXPECT_EQ(warning, "");
  EXPECT_DOUBLE_EQ(epochs, 0.4 + 4.7);  // 97 - 4 - 20 - 10 = 63 s are left; 10 + 20 / 6 s per epoch
  EXPECT_FALSE(budget.validation_is_due(5));
  EXPECT_TRUE(budget.validation_is_due(6));
  // In the first half of the run faster epochs extend it, in the second half they do not.
  const RunCosts faster{.spent_s = 10, .epoch_s = 5, .epochs_done = 1, .steps_per_epoch = 10};
  EXPECT_GT(budget.refit(faster, epochs, *group), epochs);
  EXPECT_EQ(budget.refit({.spent_s = 40, .epoch_s = 5, .epochs_done = 4, .steps_per_epoch = 10}, epochs, *group),
            epochs);
  EXPECT_LT(budget.refit({.spent_s = 40, .epoch_s = 90, .epochs_done = 4, .steps_per_epoch = 10}, epochs, *group),
            epochs);
}

// A validation takes a tenth of an epoch, so the budget needs no longer interval than the recipe's. With 2.5 the recipe
// validates after the epochs 3, 5, 8, .., whose distance may be 2.
TEST(TimeBudget, AFractionalIntervalOfTheRecipeIsNotRoundedUp) {
  const auto group = single_process();
  TimeBudget budget(parse_recipe("", "", {{"train.time_budget", "100s"}, {"train.validate_every", "2.5"}}));
  for (int step = 0; step < 4; ++step) budget.add_step(1);
  budget.set_validation({.validate_s = 1, .predict_s = 1});
  std::string warning;
  const double epochs = budget.fit({.spent_s = 4, .epochs_done = 0.4, .steps_per_epoch = 10}, *group, warning);
  EXPECT_TRUE(budget.validation_is_due(2));
  budget.refit({.spent_s = 10, .epoch_s = 10, .epochs_done = 1, .steps_per_epoch = 10}, epochs, *group);
  EXPECT_TRUE(budget.validation_is_due(2));
}

}  // namespace
}  // namespace effnet::train
