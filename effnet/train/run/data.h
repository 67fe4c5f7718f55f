// The images of a run.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/data/dataset.h"
#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

struct RunData {
  std::shared_ptr<const data::Dataset> train;
  std::shared_ptr<const data::Dataset> validation;  // after each epoch; null if there is none
  // With data.holdout the images held out are `validation`, and this is the folder's val or test split, looked at
  // once, at the end. Null without holdout.
  std::shared_ptr<const data::Dataset> test;
  std::int64_t classes = 0;        // of the network
  std::vector<std::string> notes;  // for a person: files left out, nothing to validate on
};

// Throws Error(input) for data that cannot be trained on, Error(usage) for settings that do not go with it.
RunData open_run_data(const Recipe& recipe, const std::filesystem::path& folder, Size resolution);

}  // namespace effnet::train
