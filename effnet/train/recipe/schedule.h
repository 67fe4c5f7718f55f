// The learning rate as a function of the epochs done (a real number: images seen / images of the set), and what moving
// averages keep as a function of the step. Source: docs/reference/paper.md, section D.
#pragma once

#include <cstdint>

#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

// Warm-up: linear from 0 over warmup_epochs. exponential: peak * rate^floor(epoch / decay_epochs), counted from 0 and
// so 0.97^2 right after the paper's warm-up; cosine: to 0 at `epochs`, from the end of the warm-up; constant.
double learning_rate(const ScheduleSettings& schedule, double peak, double epoch, double epochs);

// What a moving average keeps of its value at a step, counted from 0: min(largest, (1 + step) / (10 + step)). It then
// looks back over the newest ninth of the run's steps until `largest` is the shorter horizon. For the weights' average
// and for batch norms' moving statistics.
double moving_share(double largest, std::int64_t step);

}  // namespace effnet::train
