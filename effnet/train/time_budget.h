// train.time_budget: how many epochs fit into a time, from what a step and a validation were measured to cost.
#pragma once

#include <cstdint>

namespace effnet::train {

struct RunCosts {
  double spent_s = 0;         // so far
  double epoch_s = 0;         // of training for an epoch, without validation
  double validation_s = 0;    // of one validation
  double validate_every = 1;  // epochs
  double epochs_done = 0;     // when `spent_s` was read
  double steps_an_epoch = 1;
};

// The length of the run in epochs: whole steps, at least one more than are done. What is kept back: a validation after
// a last part of an epoch, one for predictions.csv, and 3 % for files and for steps that take longer than those
// measured.
double fitted_epochs(double budget_s, const RunCosts& costs);

}  // namespace effnet::train
