// The end of a run: writes the model file, its predictions for each validation image, the summary and report.html. If
// the process is killed here, --resume repeats all of it from the last checkpoint.
#pragma once

#include "effnet/train/run/prepare.h"

namespace effnet::train {

// `epochs`: the length of the whole run. Throws Error(interrupted) if a signal arrives while images are being
// classified.
Summary write_results(const RunOptions& options, RunContext& context, double epochs, Group& group);

}  // namespace effnet::train
