// What --resume does if settings have changed since the run was stopped or finished.
#pragma once

#include <string>
#include <vector>

#include "effnet/train/run/folder.h"
#include "effnet/train/run/identity.h"
#include "effnet/train/run/timeline.h"

namespace effnet::train {

// `summary`: the summary of a finished run. Returns true if the run needs no further work; `message` is then a line for
// the log. Returns false if it must resume: train.epochs is above the epochs that were done, or checkpoint.result has
// changed. Throws Error(usage) for any other change that affects results.
bool stays_finished(const Summary& summary, const RunFolder& folder, const Recipe& recipe, std::string& message);

// Without a time budget, train.epochs is the length of the run. If `position` still has a length that was fitted to a
// budget of an earlier process, removes it and returns a line for the log, else an empty text. A run that has reached
// its length keeps it. `timeline` is that of `position`. Throws Error(usage) if train.epochs is below the epochs done.
std::string drop_fitted_length(const Recipe& recipe, const Timeline& timeline, Position& position);

// Lines for the log about `changes`. `next_lr`: the learning rate of the next step with the new settings. `fitted`: the
// length before the changes was fitted to a time budget, so it was not train.epochs. Throws Error(usage) if the new
// train.epochs is below `epochs_done`, or if the run ended within an epoch: such a run cannot be extended.
std::vector<std::string> describe_changes(const std::vector<Change>& changes, double epochs_done, double next_lr,
                                          bool fitted = false);

// To be called if a run ends with `epoch` because of train.epochs. Throws Error(usage) if this epoch has a line without
// validation in metrics.csv: it was not the last one when it was trained, and its accuracy would be unknown.
void require_validated_end(const RunFolder& folder, std::int64_t epoch);

}  // namespace effnet::train
