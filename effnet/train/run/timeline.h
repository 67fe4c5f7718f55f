// A run's length and how far it is, in steps and epochs, and the learning rate of each step.
#pragma once

#include <cstdint>
#include <optional>

#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/position.h"

namespace effnet::train {

class Timeline {
 public:
  // `batches`: an epoch's. `recipe` and `position`, whose numbers count at the time of each call, outlive this.
  Timeline(const Recipe& recipe, std::int64_t batches, const Position& position);

  std::int64_t batches() const { return batches_; }
  double epochs() const;                             // the run's length: as fitted to a time budget, else the recipe's
  std::optional<std::int64_t> steps_in_all() const;  // at least one; nothing before a time budget is fitted
  std::int64_t steps_done() const;
  double epochs_done() const;

  bool last_step_is_done() const;
  bool epoch_is_over() const { return position_.batch == batches_ || last_step_is_done(); }  // it is to be closed
  bool run_is_over() const { return position_.batch == 0 && last_step_is_done(); }           // and the epoch is closed
  // Whether the recipe (train.validate_every) wants a validation at the end of `epoch`, counted from 1.
  bool validation_is_due(std::int64_t epoch) const;
  bool checkpoint_is_due() const;  // within an epoch: checkpoint.every_steps

  // The recipe's schedule, stretched to the run's length, warm-up and decay too. Steps count from 0.
  double learning_rate_of_step(std::int64_t step) const;

 private:
  const Recipe& recipe_;
  std::int64_t batches_;
  const Position& position_;
};

}  // namespace effnet::train
