#include "effnet/train/run/timeline.h"

#include <algorithm>
#include <cmath>

#include "effnet/train/recipe/schedule.h"

namespace effnet::train {

Timeline::Timeline(const Recipe& recipe, std::int64_t batches, const Position& position)
    : recipe_(recipe), batches_(batches), position_(position) {}

double Timeline::epochs() const { return position_.epochs > 0 ? position_.epochs : recipe_.train.epochs; }

std::optional<std::int64_t> Timeline::steps_in_all() const {
  if (!recipe_.train.time_budget.empty() && position_.epochs <= 0) return std::nullopt;
  return std::max<std::int64_t>(1, std::llround(epochs() * static_cast<double>(batches_)));
}

std::int64_t Timeline::steps_done() const {
  return static_cast<std::int64_t>(position_.epoch) * batches_ + position_.batch;
}

double Timeline::epochs_done() const { return static_cast<double>(steps_done()) / static_cast<double>(batches_); }

bool Timeline::last_step_is_done() const {
  const std::optional<std::int64_t> all = steps_in_all();
  return all && steps_done() >= *all;
}

bool Timeline::validation_is_due(std::int64_t epoch) const {
  const double every = recipe_.train.validate_every;
  return std::floor(static_cast<double>(epoch) / every) > std::floor(static_cast<double>(epoch - 1) / every);
}

bool Timeline::checkpoint_is_due() const {
  const std::int64_t every = recipe_.checkpoint_every_steps;
  return every > 0 && steps_done() % every == 0 && position_.batch < batches_;
}

double Timeline::learning_rate_of_step(std::int64_t step) const {
  const double stretch = recipe_.train.epochs / epochs();
  const double epoch = static_cast<double>(step) / static_cast<double>(batches_) * stretch;
  return learning_rate(recipe_.schedule, peak_lr(recipe_), epoch, recipe_.train.epochs);
}

}  // namespace effnet::train
