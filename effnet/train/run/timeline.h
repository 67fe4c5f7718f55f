// The length and progress of a run in steps and epochs, and the learning rate of each step.
#pragma once

#include <cstdint>
#include <optional>

#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/position.h"

namespace effnet::train {

class Timeline {
 public:
  // `batches`: the number of batches in an epoch. `recipe` and `position` must outlive this object; each call uses
  // their current values.
  Timeline(const Recipe& recipe, std::int64_t batches, const Position& position);

  std::int64_t batches() const { return batches_; }
  double epochs() const;                             // length of the run, fitted to a time budget or from the recipe
  std::optional<std::int64_t> steps_in_all() const;  // at least 1; null while a time budget is not fitted
  std::int64_t steps_done() const;
  double epochs_done() const;

  bool last_step_is_done() const;
  // All steps of the epoch are done, and its results must be written.
  bool epoch_is_over() const { return position_.batch == batches_ || last_step_is_done(); }
  // All steps of the run are done, and the results of its last epoch are written.
  bool run_is_over() const { return position_.batch == 0 && last_step_is_done(); }
  // True if train.validate_every requires a validation at the end of `epoch`, counted from 1.
  bool validation_is_due(std::int64_t epoch) const;
  // True if checkpoint.every_steps requires a checkpoint after the newest step. False at the end of an epoch, where one
  // is written anyway.
  bool checkpoint_is_due() const;

  // The recipe's schedule, including warm-up and decay, stretched to the length of the run. Steps count from 0.
  double learning_rate_of_step(std::int64_t step) const;

 private:
  const Recipe& recipe_;
  std::int64_t batches_;
  const Position& position_;
};

}  // namespace effnet::train
