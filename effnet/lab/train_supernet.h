// Trains a supernet: each step trains random networks of the space, which share the supernet's weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "effnet/search/space/space.h"
#include "effnet/train/recipe/recipe.h"
#include "effnet/train/run/progress.h"

namespace effnet::lab {

struct SupernetOptions {
  train::Recipe recipe;        // with data.folder. Its model.name, model.init and validation settings are not used
  std::filesystem::path file;  // receives the supernet (supernet_file.h)
  // Networks of a step. false: one, drawn uniformly (Guo et al. 2020). true: the one with the fewest MACs, the one with
  // the most, and two that are drawn (the sandwich rule of Yu and Huang, ICCV 2019, "Universally Slimmable Networks").
  bool sandwich = false;
  std::string device = "auto";  // an argument of train::device_named()
  int threads = 1;
  std::function<void(const train::Progress&)> progress = {};
};

struct SupernetSummary {
  std::int64_t params = 0;  // trainable ones of the supernet
  std::int64_t steps = 0;
  double epochs = 0;
  double loss = 0, top1 = 0;  // of the training images in the last epoch, mean over the drawn networks; top1 in percent
  double seconds = 0;         // of training, including earlier processes
  std::string device;
};

// Trains with the recipe's images, optimiser and schedule, and writes options.file at the end.
//
// At the end of each epoch, every checkpoint.every_steps steps, and after a signal the state is written to
// FILE.checkpoint. If that file exists, training continues from it; a training that was stopped or killed ends with the
// same file as one that was not. Settings that `effnet train --resume` accepts may be changed.
//
// Throws
// - Error(interrupted) after a signal, when the state is written;
// - Error(usage) if options.file exists, or for a setting that a supernet does not support;
// - Error(environment) if another process trains this file, or if a file cannot be written;
// - Error(input) for an unusable dataset, a checkpoint of another training, or a loss that is not finite.
SupernetSummary train_supernet(const search::Space& space, const SupernetOptions& options);

}  // namespace effnet::lab
