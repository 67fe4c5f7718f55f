// Checks before the first step for problems that would otherwise end the run hours later, when it writes its results.
#pragma once

#include <cstdint>
#include <filesystem>

#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

// For rank 0. Throws Error(input) if config.toml cannot represent the settings, Error(environment) if a file of the run
// cannot be written or if the disk has too little space for the checkpoints and the model. Does not check
// the metadata of the model file: formats::model_metadata() does that.
void check_run_can_finish(const RunFolder& folder, const Recipe& recipe, Trainer& trainer);

// The largest size of a run's files in bytes. `checkpoint`, `model`: the sizes of one checkpoint and of the model file.
// Counts the checkpoints that can exist at the same time: 3 (`next`, `last`, `previous`) + checkpoint.keep. A run
// without checkpoint.every_steps and without a time budget has at most one checkpoint per epoch.
std::uint64_t disk_bytes_needed(const Recipe& recipe, std::uint64_t checkpoint, std::uint64_t model);
// Throws Error(environment) if the disk of `folder` has less than `bytes` - `taken` of free space for this user.
// `taken`: the size of existing files that will be replaced.
void require_disk_space(const std::filesystem::path& folder, std::uint64_t bytes, std::uint64_t taken);

}  // namespace effnet::train
