// A training run from start to end: dataset, trainer, schedule, validation, checkpoints and the run folder. A stopped
// run that is resumed ends with the same bits as one that was not stopped.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "effnet/train/distributed/group.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/progress.h"
#include "effnet/train/run/summary.h"

namespace effnet::train {

struct RunOptions {
  Recipe recipe;
  std::filesystem::path data, out;
  bool resume = false;
  std::string device = "auto";  // an argument of device_named() (step/device.h)
  int threads = 1;
  std::function<void(const Progress&)> progress;  // may be empty
  // The time from which the time budget counts: the start of the process, if the caller knows it.
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

// Trains, writes the run folder and returns the run's summary. For a finished run: the stored one.
// Throws
// - Error(interrupted) after SIGINT, SIGTERM or SIGHUP: before the first step at once, later after a checkpoint is
//   written;
// - Error(usage) on all ranks if recipe, images or weights differ between ranks, or if the time budget is too short;
// - Error(environment) if another process is training in the folder, or if files cannot be written;
// - Error(input) for an unusable dataset, a checkpoint of another run, or a loss that is not finite.
Summary run(const RunOptions& options, Group& group);

}  // namespace effnet::train
