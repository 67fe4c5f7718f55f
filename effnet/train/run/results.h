// The end of a run: the model file, what it says of each image, the page about the run, the summary. Everything here
// can be done again after a kill, from the last checkpoint.
#pragma once

#include "effnet/train/run/prepare.h"

namespace effnet::train {

// `epochs`: of the whole run. Throws Error(interrupted) if a signal comes while images are classified.
Summary write_results(const RunOptions& options, RunContext& setup, double epochs, Group& group);

}  // namespace effnet::train
