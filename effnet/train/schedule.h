// The learning rate as a function of the epochs done (a real number: images seen / images of the set), and the decay of
// the weights' moving average as a function of the step. Source: paper.md section D.
#pragma once

#include <cstdint>

#include "effnet/train/recipe.h"

namespace effnet::train {

// Warm-up: linear from 0 over warmup_epochs. exponential: peak * rate^floor(epoch / decay_epochs), counted from 0 and
// so 0.97^2 right after the paper's warm-up; cosine: to 0 at `epochs`, from the end of the warm-up; constant.
double learning_rate(const ScheduleSettings& schedule, double peak, double epoch, double epochs);

// min(decay, (1 + step) / (10 + step)), step counted from 0.
double ema_decay(double decay, std::int64_t step);

}  // namespace effnet::train
