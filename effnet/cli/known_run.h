// The run of `effnet finetune` that a MODEL is from, and the images that it has used. A model knows the images that it
// was trained on, so its accuracy on them says little about new images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/load.h"
#include "effnet/transfer/known_images.h"

namespace effnet::cli {

struct KnownRun {
  std::filesystem::path folder, data;  // of the run, and of its images
  transfer::KnownImages images;
  bool test_too = false;  // the model was trained on the images of test too (finetune --final)
};

// MODEL: a run folder, or a file in it, in its trial/ or in its checkpoints/. Empty if MODEL is not from such a run, or
// if its weights are random. If the run's list of images cannot be read, warns and returns nothing.
std::optional<KnownRun> find_known_run(const std::string& model, const LoadOptions& load, Output& out);

// The number of `contents` that the run has trained on or used for choices. Warns if it is not 0. `folder`: DIR of the
// measurement.
std::int64_t count_used(const KnownRun& run, const std::vector<data::ImageContent>& contents, const std::string& folder,
                        Output& out);

}  // namespace effnet::cli
