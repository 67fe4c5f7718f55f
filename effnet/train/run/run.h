// A training run from start to end: data, trainer, schedule, validation, checkpoints, the run folder, and going on
// after a stop to the same bits.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "effnet/train/distributed/group.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/progress.h"
#include "effnet/train/run/summary.h"
#include "effnet/train/step/device.h"

namespace effnet::train {

struct RunOptions {
  Recipe recipe;
  std::filesystem::path data, out;
  bool resume = false;
  std::string device = "auto";  // as device_named() reads it
  int threads = 1;
  std::function<void(const Progress&)> progress;  // may be empty
  // When a time budget began to run: the process's start, for a program that knows it.
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

// Returns the summary that the run folder holds; on a finished run that of then. Throws Error(interrupted) before the
// first step, and later once the state is saved, after SIGINT, SIGTERM or SIGHUP; Error(usage) for ranks that differ in
// recipe, images or weights, on all of them, and for a time budget that is too short; Error(environment) if another
// trainer holds the folder or nothing can be written; Error(input) for unusable data, a checkpoint of another model, or
// a loss that is not finite (the batch is saved).
Summary run(const RunOptions& options, Group& group);

}  // namespace effnet::train
