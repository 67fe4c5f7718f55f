// The datasets of a run.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/data/loader.h"
#include "effnet/data/sources.h"
#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

// Throws Error(input) if the dataset has another number of classes or images than `expect` says.
void check_expected(const ExpectSettings& expect, const data::AllImages& images);

struct RunData {
  std::shared_ptr<const data::Dataset> train;
  std::shared_ptr<const data::Dataset> validation;  // used at the end of epochs; null if there is none
  // Evaluated once at the end of the run. With data.holdout, `validation` has the held-out images, and `test` is the
  // val or test split of the folder. With data.split, see TrainOn. Null otherwise.
  std::shared_ptr<const data::Dataset> test;
  std::int64_t classes = 0;        // number of classes of the network
  std::vector<std::string> notes;  // lines for the log: skipped files, missing validation split
};

// Throws Error(input) for a dataset that cannot be used for training, Error(usage) if no dataset is given.
RunData open_run_data(const Recipe& recipe, const std::filesystem::path& folder, Size resolution);

// The options of the recipe's loaders in a single process, without mixup and CutMix. `threads`: of the training.
data::LoaderOptions loader_options(const Recipe& recipe, int threads);

}  // namespace effnet::train
