// train.time_budget: how many epochs fit into a time, and how often to validate, from what the run was measured to
// cost. All counts from the process's start: loading, measuring, validation, the last pass over the images.
#pragma once

#include <cstdint>
#include <string>

#include "effnet/train/distributed/group.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/evaluate.h"

namespace effnet::train {

struct RunCosts {
  double spent_s = 0;         // so far
  double steps_s = 0;         // of that in training steps
  double epoch_s = 0;         // of training for an epoch, without validation
  double validation_s = 0;    // of one validation
  double predictions_s = 0;   // of the pass for predictions.csv
  double validate_every = 1;  // epochs
  double epochs_done = 0;     // when `spent_s` was read
  double steps_an_epoch = 1;
};

// The length of the run in epochs: whole steps, at least one more than are done. What is kept back: a validation after
// a last part of an epoch, the pass for predictions.csv, and 3 % for files and for steps that take longer than those
// measured.
double fitted_epochs(double budget_s, const RunCosts& costs);

// Epochs from one validation to the next, whole, so that they take at most a quarter of the training's time.
double fitted_validate_every(const RunCosts& costs);

// Throws Error(usage) if not one step more fits into the budget. A line to tell if training gets less than half of it;
// else empty. Both name the smallest budget that makes sense: training gets as much as all else.
std::string check_budget(double budget_s, const RunCosts& costs);

// Measures the steps of a run, and fits its length once it knows enough and again after each epoch.
class TimeBudget {
 public:
  explicit TimeBudget(const Recipe& recipe);

  bool on() const { return budget_s_ > 0; }
  double probe_s() const;  // how long to measure a validation for

  void add_step(double seconds);
  // Measured long enough that one slow step decides nothing, short against the budget.
  bool ready(double spent_s, bool epoch_done) const;
  // Both return the length of the run in epochs, by rank 0's costs: each rank measured something else. Of `costs`
  // spent_s, epochs_done and steps_an_epoch are given, for refit() epoch_s too.
  double fit(RunCosts costs, Group& group, std::string& warning);
  double refit(RunCosts costs, double length, Group& group);

  // After a fit there may be more epochs from one validation to the next than in the recipe.
  bool validation_is_due(double epochs_since) const { return epochs_since >= validate_every_; }
  bool knows_validation() const { return validation_.validate_s > 0; }
  void set_validation(const ValidationCost& measured) { validation_ = measured; }
  void validated(double seconds);

 private:
  RunCosts with_validation(RunCosts costs) const;
  double shared(double epochs, Group& group);  // rank 0's, and validate_every_, on all ranks

  double budget_s_ = 0, recipe_every_ = 1, validate_every_ = 0;
  double all_s_ = 0, measured_s_ = 0;  // of all steps, of those after the warm-up
  int all_ = 0, measured_ = 0;
  ValidationCost validation_;
};

}  // namespace effnet::train
