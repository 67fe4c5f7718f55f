// effnet features MODEL IMAGE...|DIR -o OUT: writes embeddings and feature maps to a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/cli/load.h"
#include "effnet/data/image_list.h"
#include "effnet/tensor/tensor.h"

namespace effnet::cli {

// Replaces each folder of the arguments by its images, in all sub-folders, sorted. Returns the images in the order of
// the arguments. Throws Error(input) for a folder without images.
std::vector<std::filesystem::path> expand_folders(const std::vector<std::string>& arguments);

struct FeaturesOptions {
  std::string model;
  std::vector<std::string> images;
  std::string out, resolution;
  bool maps = false, no_cache = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, FeaturesOptions& options);

struct FeaturesResult {
  std::string path, weights;
  std::vector<std::string> files;  // the images, in the order of the rows
  tensor::Dims shape;              // images x width
  std::vector<data::SkippedFile> skipped;
};
FeaturesResult run_features(const FeaturesOptions& o, const Globals& globals, Output& out);
Json to_json(const FeaturesResult& result);
std::string to_text(const FeaturesResult& result);

}  // namespace effnet::cli
