#include "effnet/train/run/time_budget.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/train/distributed/run_on_ranks.h"

namespace effnet::train {
namespace {

constexpr double kUsable = 0.97;     // the fraction of the budget that is planned
constexpr int kWarmUpSteps = 3;      // not measured, because they also allocate memory and start threads
constexpr int kMeasuredSteps = 5;    // the minimum number of measured steps
constexpr double kMeasuring = 0.25;  // after this fraction of the budget, the steps measured so far must be enough
// In epochs. A shorter last epoch is dropped, because it would need a validation of its own.
constexpr double kLeastPart = 0.05;
constexpr double kTrainingOverValidation = 3;  // the smallest ratio of training time to validation time

// The time for everything except training.
double fixed_s(const RunCosts& costs) {
  return costs.spent_s - costs.steps_s + costs.validation_s + costs.predictions_s;
}

double step_s(const RunCosts& costs) { return costs.epoch_s / costs.steps_per_epoch; }

}  // namespace

double fitted_epochs(double budget_s, const RunCosts& costs) {
  const double left_s = kUsable * budget_s - costs.spent_s - costs.validation_s - costs.predictions_s;
  const double per_epoch_s = costs.epoch_s + costs.validation_s / costs.validate_every;
  const double more = std::floor(left_s / per_epoch_s * costs.steps_per_epoch);
  return costs.epochs_done + std::max(more, 1.0) / costs.steps_per_epoch;
}

double fitted_validate_every(const RunCosts& costs) {
  if (costs.epoch_s <= 0) return 1;
  return std::max(1.0, std::ceil(kTrainingOverValidation * costs.validation_s / costs.epoch_s));
}

std::string check_budget(double budget_s, const RunCosts& costs) {
  const double needed_s = (costs.spent_s + costs.validation_s + costs.predictions_s + step_s(costs)) / kUsable;
  const double sensible_s = std::ceil((fixed_s(costs) + std::max(fixed_s(costs), step_s(costs))) / kUsable);
  const std::string parts =
      fmt::format("loading and measuring take {:.1f} s, a validation {:.1f} s, the final predictions {:.1f} s",
                  costs.spent_s - costs.steps_s, costs.validation_s, costs.predictions_s);
  if (budget_s < needed_s)
    throw usage_error(
        "train.time_budget: too short (got {:.4g} s, expected at least {:.0f} s: {}, and training should get "
        "at least half of the time)",
        budget_s, std::max(sensible_s, std::ceil(needed_s)), parts)
        .with_hint("use a longer --time-budget or fewer validation images");
  const double share = (kUsable * budget_s - fixed_s(costs)) / budget_s;
  if (budget_s >= sensible_s) return {};
  return fmt::format(
      "warning: a time budget of {:.4g} s leaves {:.0f} % for training ({}); {:.0f} s or more leave at least half",
      budget_s, 100 * share, parts, sensible_s);
}

TimeBudget::TimeBudget(const Recipe& recipe)
    : budget_s_(recipe.train.time_budget.empty() ? 0 : parse_seconds(recipe.train.time_budget)),
      recipe_every_(recipe.train.validate_every) {}

double TimeBudget::probe_s() const { return std::min(5.0, 0.05 * budget_s_); }

void TimeBudget::add_step(double seconds) {
  ++all_;
  all_s_ += seconds;
  if (all_ <= kWarmUpSteps) return;
  ++measured_;
  measured_s_ += seconds;
}

bool TimeBudget::ready(double spent_s, bool epoch_done) const {
  if (spent_s >= kMeasuring * budget_s_) return all_ > 0;
  return measured_ >= kMeasuredSteps && (measured_s_ >= std::min(10.0, 0.02 * budget_s_) || epoch_done);
}

RunCosts TimeBudget::with_validation(RunCosts costs) const {
  costs.validation_s = validation_.validate_s;
  costs.predictions_s = validation_.predict_s;
  costs.validate_every = std::max(recipe_every_, fitted_validate_every(costs));
  return costs;
}

double TimeBudget::fit(RunCosts costs, Group& group, std::string& warning) {
  costs.steps_s = all_s_;
  costs.epoch_s = (measured_ > 0 ? measured_s_ / measured_ : all_s_ / all_) * costs.steps_per_epoch;
  costs = with_validation(costs);
  run_on_rank0(group, [&] { warning = check_budget(budget_s_, costs); });
  validate_every_ = fitted_validate_every(costs);
  return broadcast_fit(fitted_epochs(budget_s_, costs), group);
}

// In the second half of the run the length may only decrease: a late extension would raise the learning rate again.
double TimeBudget::refit(RunCosts costs, double length, Group& group) {
  costs = with_validation(costs);
  const double fitted = fitted_epochs(budget_s_, costs);
  double epochs = costs.epochs_done < 0.5 * length || fitted < length ? fitted : length;
  if (epochs - costs.epochs_done < kLeastPart) epochs = costs.epochs_done;
  validate_every_ = fitted_validate_every(costs);
  return broadcast_fit(epochs, group);
}

double TimeBudget::broadcast_fit(double epochs, Group& group) {
  // Both numbers are sent as text: this needs no tensor on the group's device, and "{}" prints a double so that it is
  // read back exactly.
  std::istringstream numbers(broadcast_from_rank0(group, fmt::format("{} {}", epochs, validate_every_)));
  numbers >> epochs >> validate_every_;
  return epochs;
}

void TimeBudget::set_validation_time(double seconds) {
  const double share = validation_.validate_s > 0 ? validation_.predict_s / validation_.validate_s : 1;
  validation_ = {.validate_s = seconds, .predict_s = share * seconds};
}

}  // namespace effnet::train
