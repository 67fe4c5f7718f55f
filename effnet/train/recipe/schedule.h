// The learning rate as a function of the epochs done (a real number: images seen / images in the dataset), and the
// decay of moving averages as a function of the step. Source: docs/reference/paper.md, section D.
#pragma once

#include <cstdint>

#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

// Warm-up: linear from 0 to `peak` over warmup_epochs. Afterwards:
// - exponential: peak * decay_rate^floor(epoch / decay_epochs). `epoch` counts from the start of the run, not
//   from the end of the warm-up: after the paper's warm-up of 5 epochs the factor is 0.97^2, because 5 / 2.4 is 2.08.
// - cosine: from `peak` at the end of the warm-up to 0 at `epochs`.
// - constant: `peak`.
double learning_rate(const ScheduleSettings& schedule, double peak, double epoch, double epochs);

// The decay of a moving average at `step`, counted from 0: min(largest, (1 + step) / (10 + step)). With
// (1 + step) / (10 + step) the average covers about the newest ninth of all steps; `largest` limits this to about
// 1 / (1 - largest) steps. Used for the moving average of the weights and for the moving statistics of batch norm.
double decay_at_step(double largest, std::int64_t step);

}  // namespace effnet::train
