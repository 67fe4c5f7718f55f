// The values of a run that must be the same on all ranks before the first step (distributed/consistency.h).
#pragma once

#include <string>

#include "effnet/train/distributed/consistency.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/checkpoint.h"
#include "effnet/train/run/data.h"
#include "effnet/train/run/identity.h"

namespace effnet::train {

// All settings except those that may differ between ranks. Model files are compared by file name without the folder.
KeyValues compared_settings(const Recipe& recipe);

// The images, the class names and the architecture.
KeyValues compared_data(const RunData& data, const Identity& identity);

// The position of the next step, and a digest of the weights, optimiser state and other tensors of the trainer.
KeyValues compared_start(const Position& position, Trainer& trainer);

}  // namespace effnet::train
