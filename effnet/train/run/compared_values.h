// What the ranks of a run compare with rank 0 before the first step (distributed/facts.h).
#pragma once

#include <string>

#include "effnet/train/distributed/consistency.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/checkpoint.h"
#include "effnet/train/run/data.h"
#include "effnet/train/run/identity.h"

namespace effnet::train {

// Every setting but those of a machine; of files their names without the folder.
KeyValues compared_settings(const Recipe& recipe);

// Images, class names and the architecture.
KeyValues compared_data(const RunData& data, const Identity& identity);

// Where the run begins or goes on, and a digest of the weights that it does so with.
KeyValues compared_start(const Position& position, Trainer& trainer);

}  // namespace effnet::train
