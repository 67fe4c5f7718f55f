// Makes a classifier from labelled images: splits them, measures a linear probe, chooses settings, trains, and measures
// the result on images that no choice has seen.
//
// 1. Data: all images are read once. Images without a part are split by content (data/split.h).
// 2. Probe: a linear classifier on the model's features, trained on train, measured on val. It is the first answer, and
//    its weights are the initial classifier of the network (Kumar et al. 2022: fine-tuning from a trained classifier
//    distorts the features less than from a random one).
// 3. Trial: a run in RUN/trial that trains on train and is validated on val. The settings are chosen before it, and its
//    length and calibration are used after it.
// 4. Final: a run in RUN from the pretrained weights with the same settings, on train + val. It is measured on test.
//
// Every step stores its result in RUN/finetune.json, RUN/split.csv and the run folders, so a stopped command continues
// with the step that it did not finish.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/report/finetune_file.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/progress.h"
#include "effnet/train/run/summary.h"
#include "effnet/transfer/known_images.h"

namespace effnet::train {

// Receives messages and progress; every function may be empty.
struct Watch {
  Log log = {};
  std::function<void(std::string_view what, std::int64_t done, std::int64_t total)> counted = {};
  std::function<void(const Progress&)> training = {};
};

struct FinetuneOptions {
  std::filesystem::path data, labels, out;
  std::string model;                   // a MODEL with weights
  std::string recipe = "finetune";     // a recipe with `finetune` as its base; what it changes is not chosen
  std::filesystem::path from;          // the run folder that `model` is from; its images keep their parts. Empty: none
  transfer::KnownImages used = {};     // the images that `model` knows from its own run (used_by()); not with `from`
  std::string command, version, time;  // for the record; `time`: now, in UTC
  double budget_s = 0;                 // 0: chosen by the size of the data
  bool final_on_all = false;  // the final run trains on all images; the trial's model is measured on test instead
  bool resume = false;
  std::vector<Override> settings;  // have priority over the chosen ones
  std::string device = "auto";     // an argument of device_named()
  int threads = 1;
  Watch watch = {};
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

struct FinetuneResult {
  report::FinetuneFile record;
  Summary summary;  // of the final run
};

// Does not write the report: the caller does, with everything that the run folder then has.
// Throws
// - Error(usage) if RUN already has a run and `resume` is not set, or for a setting that is out of range;
// - Error(input) for images that cannot be used, or, on resume, for other images than before;
// - Error(environment) if a file cannot be written;
// - Error(interrupted) after SIGINT, SIGTERM or SIGHUP. `resume` continues.
// If the time does not suffice for one epoch, the result is the linear probe, and a warning says so.
FinetuneResult finetune(const FinetuneOptions& options);

}  // namespace effnet::train
