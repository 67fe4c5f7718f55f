// What would end a run after its last step is looked at before the first: hours are between them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/folder.h"
#include "effnet/train/step/trainer.h"

namespace effnet::train {

// On rank 0; formats::model_metadata() looks at what the model file has to hold. Throws Error(input) for settings that
// config.toml cannot hold; Error(environment) if a file of the run cannot be written, or if the disk has no room for
// its checkpoints and model.
void check_run_can_finish(const RunFolder& folder, const Recipe& recipe, Trainer& trainer);

// Bytes that a run's files may take at most: `checkpoint` each of so many checkpoints as lie beside each other (the
// last, the one before, the best, the next, and those of checkpoint.keep; a short run writes fewer), and `model`.
std::uint64_t disk_bytes_needed(const Recipe& recipe, std::uint64_t checkpoint, std::uint64_t model);
// Throws Error(environment) if `folder`'s disk has less than `bytes` for this user beside what `taken` says is there
// already and will be replaced.
void require_disk_space(const std::filesystem::path& folder, std::uint64_t bytes, std::uint64_t taken);

}  // namespace effnet::train
