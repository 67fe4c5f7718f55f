// A training run from start to end: data, trainer, schedule, validation, checkpoints, the run folder, and going on
// after a stop to the same bits.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "effnet/train/distributed/group.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/step/device.h"

namespace effnet::train {

struct Progress {  // after each step, on rank 0
  std::int64_t epoch = 0, step = 0, steps_an_epoch = 0;
  double epochs = 0, lr = 0, loss = 0, top1 = 0;  // means of the epoch so far
  double images_per_second = 0, seconds_left = 0;
  std::string message;  // not empty: something to tell (an epoch's result, a fallback, a broken picture), a line
};

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

struct Summary {  // summary.json
  double best_top1 =
      -1;  // percent, of the averaged weights where there are such; null in the file: nothing to validate
  std::int64_t best_epoch = 0;
  // Of the weights in model.safetensors (checkpoint.result): the same figure as the best's where they are the best's.
  double saved_top1 = -1;
  std::int64_t saved_epoch = 0;
  double epochs = 0, images_per_second = 0, seconds = 0;
  std::int64_t params = 0, macs = 0;
  std::string device;
  std::string isa;  // the instruction set of effnet's own kernels (rank 0's); empty, null in the file: none ran
  int world_size = 1;
  std::int64_t peak_rss_bytes = 0;  // the largest memory of rank 0's last process
  std::string data;                 // --data, absolute
  // With data.holdout, which chose the best epoch: the saved weights on the validation set, which chose nothing.
  std::optional<double> test_top1;
};
std::string summary_text(const Summary& summary);        // the file's JSON, which `effnet train --json` prints too
Summary parse_summary(const std::string& summary_json);  // Error(input)

// Returns the summary that the run folder holds; on a finished run that of then. Throws Error(interrupted) before the
// first step, and later once the state is saved, after SIGINT, SIGTERM or SIGHUP; Error(usage) for ranks that differ in
// recipe, pictures or weights, on all of them, and for a time budget that is too short; Error(environment) if another
// trainer holds the folder or nothing can be written; Error(input) for unusable data, a checkpoint of another model, or
// a loss that is not finite (the batch is saved).
Summary run(const RunOptions& options, Group& group);

}  // namespace effnet::train
