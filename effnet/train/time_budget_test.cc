#include "effnet/train/time_budget.h"

#include <gtest/gtest.h>

namespace effnet::train {
namespace {

// 1000 s, of which 970 are used; 70 spent; 2 validations of 10 s kept back: 880 s at 80 + 10 / 2 s an epoch.
TEST(TimeBudget, FillsTheTimeThatIsLeft) {
  const RunCosts costs{
      .spent_s = 70, .epoch_s = 80, .validation_s = 10, .validate_every = 2, .epochs_done = 0.5, .steps_an_epoch = 100};
  EXPECT_DOUBLE_EQ(fitted_epochs(1000, costs), 0.5 + 10.35);
}

TEST(TimeBudget, AlwaysTakesAStepMore) {
  const RunCosts costs{.spent_s = 50, .epoch_s = 80, .validation_s = 10, .epochs_done = 2, .steps_an_epoch = 4};
  EXPECT_DOUBLE_EQ(fitted_epochs(30, costs), 2.25);
}

}  // namespace
}  // namespace effnet::train
