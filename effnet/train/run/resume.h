// What --resume means where the settings are no longer those of before.
#pragma once

#include <string>
#include <vector>

#include "effnet/train/run/folder.h"
#include "effnet/train/run/identity.h"

namespace effnet::train {

// Whether a run that is finished, with this summary, stays so; a line about it is then in `told`. It goes on if
// train.epochs is above what was done, or checkpoint.result is another. Throws Error(usage) if something else is asked
// for that would need steps.
bool stays_finished(const Summary& summary, const RunFolder& folder, const Recipe& recipe, std::string& told);

// Lines about `changes` for the log. `next_lr` is the next step's learning rate under the new settings. Throws
// Error(usage) for a length that is below `epochs_done`, or that would go on from within an epoch.
std::vector<std::string> describe_changes(const std::vector<Change>& changes, double epochs_done, double next_lr);

}  // namespace effnet::train
