// effnet similar MODEL IMAGE --in DIR: finds the images of a folder that are most similar to an image.
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/load.h"

namespace effnet::cli {

struct SimilarOptions {
  std::string model, image, folder, resolution;
  int top = 10;
  bool no_cache = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, SimilarOptions& options);

struct SimilarResult {
  struct Image {
    std::string path;
    double similarity = 0;  // cosine: -1..1
  };
  std::vector<Image> images;  // the most similar first
  std::string weights;
};
SimilarResult run_similar(const SimilarOptions& o, const Globals& globals, Output& out);
Json to_json(const SimilarResult& result);
std::string to_text(const SimilarResult& result);

}  // namespace effnet::cli
