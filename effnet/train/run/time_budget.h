// train.time_budget: computes the number of epochs and how often to validate from measured costs, so that the run ends
// within the budget. The budget includes everything from the start of the process: loading, measuring, training,
// validation and the final pass over the validation images.
#pragma once

#include <cstdint>
#include <string>

#include "effnet/train/distributed/group.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/evaluate.h"

namespace effnet::train {

struct RunCosts {
  double spent_s = 0;         // time since the start, including earlier processes of the run
  double steps_s = 0;         // the part of spent_s that training steps took
  double epoch_s = 0;         // training time of an epoch, without validation
  double validation_s = 0;    // time of one validation
  double predictions_s = 0;   // time of the pass for predictions.csv
  double validate_every = 1;  // in epochs
  double epochs_done = 0;     // when spent_s was measured
  double steps_per_epoch = 1;
};

// Returns the length of the run in epochs. It is a whole number of steps, at least one more than are already done.
// Three times are reserved: for a validation after a last incomplete epoch, for the pass for predictions.csv, and 3 %
// of the budget for writing files and for steps that take longer than the measured ones.
double fitted_epochs(double budget_s, const RunCosts& costs);

// Returns the number of epochs between validations, a whole number. With it, validation takes at most a third of the
// training time, so at most a quarter of training and validation together.
double fitted_validate_every(const RunCosts& costs);

// Throws Error(usage) if not even one more step fits into the budget. Returns a warning if training gets less than half
// of the budget, else an empty text. Both texts name the smallest sensible budget: the one that
// leaves half of the time for training.
std::string check_budget(double budget_s, const RunCosts& costs);

// Measures the steps of a run. Fits the run's length to the budget when enough steps were measured, and again after
// each epoch.
class TimeBudget {
 public:
  explicit TimeBudget(const Recipe& recipe);

  bool on() const { return budget_s_ > 0; }
  double probe_s() const;  // time limit for measure_validation()

  void add_step(double seconds);
  // True when enough steps were measured: enough that a single slow step has little effect, and few enough that they
  // use only a small part of the budget.
  bool ready(double spent_s, bool epoch_done) const;
  // fit() and refit() return the length of the run in epochs. They use the costs of rank 0, because each rank measures
  // different times. The caller sets spent_s, epochs_done and steps_per_epoch of `costs`, and for refit() also epoch_s.
  // `length`: the current length. To be called on all ranks.
  double fit(RunCosts costs, Group& group, std::string& warning);
  double refit(RunCosts costs, double length, Group& group);

  // `epochs_since`: the epochs since the last validation. After fit() the interval between validations may be longer
  // than train.validate_every, which Timeline::validation_is_due() applies: both must be due.
  bool validation_is_due(double epochs_since) const { return epochs_since >= validate_every_; }
  bool has_validation_time() const { return validation_.validate_s > 0; }
  void set_validation(const ValidationCost& measured) { validation_ = measured; }
  // `seconds`: the time of a complete validation. The time of predict() is scaled by the same factor.
  void set_validation_time(double seconds);

 private:
  RunCosts with_validation(RunCosts costs) const;
  double broadcast_fit(double epochs, Group& group);  // gives all ranks rank 0's `epochs` and validate_every_

  double budget_s_ = 0, recipe_every_ = 1, validate_every_ = 0;
  double all_s_ = 0, measured_s_ = 0;  // time of all steps, and of the steps after the first kWarmUpSteps
  int all_ = 0, measured_ = 0;
  ValidationCost validation_;
};

}  // namespace effnet::train
