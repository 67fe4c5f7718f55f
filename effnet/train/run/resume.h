// What --resume does if settings have changed since the run was stopped or finished.
#pragma once

#include <string>
#include <vector>

#include "effnet/train/run/folder.h"
#include "effnet/train/run/identity.h"

namespace effnet::train {

// `summary`: the summary of a finished run. Returns true if the run needs no further work; `message` is then a line for
// the log. Returns false if it must resume: train.epochs is above the epochs that were done, or checkpoint.result has
// changed. Throws Error(usage) for any other change that affects results.
bool stays_finished(const Summary& summary, const RunFolder& folder, const Recipe& recipe, std::string& message);

// Lines for the log about `changes`. `next_lr`: the learning rate of the next step with the new settings. Throws
// Error(usage) if the new train.epochs is below `epochs_done`, or if the run ended within an epoch: such a run cannot
// be extended.
std::vector<std::string> describe_changes(const std::vector<Change>& changes, double epochs_done, double next_lr);

}  // namespace effnet::train
