#include "effnet/train/time_budget.h"

#include <algorithm>
#include <cmath>

namespace effnet::train {

double fitted_epochs(double budget_s, const RunCosts& costs) {
  constexpr double kUsable = 0.97;
  const double left_s = kUsable * budget_s - costs.spent_s - 2 * costs.validation_s;
  const double per_epoch_s = costs.epoch_s + costs.validation_s / costs.validate_every;
  const double more = std::floor(left_s / per_epoch_s * costs.steps_an_epoch);
  return costs.epochs_done + std::max(more, 1.0) / costs.steps_an_epoch;
}

}  // namespace effnet::train
