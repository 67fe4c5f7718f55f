// effnet predict MODEL IMAGE...: the classes of images.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/cli/load.h"
#include "effnet/model/classifier.h"

namespace effnet::cli {

struct PredictOptions {
  std::string model;
  std::vector<std::string> images;
  int top = 5;
  std::string resolution, cam, dump_pixels, dump_input, mean, std;
  std::string precision = "fp32", backend = "engine";
  bool logits = false, raw = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, PredictOptions& options);

// Of one image: an answer, or why there is none.
struct PredictedImage {
  std::string path;
  std::optional<Error> error;
  model::Answer answer;
  bool logits = false;  // asked for
  std::string cam;      // the file with the map; empty if none was asked for
};

struct PredictResult {
  std::string model, weights;
  std::vector<PredictedImage> images;
};

// Every image goes to `each` when it is done. Those of paths from stdin, which may have no end, are not kept.
using OnImage = std::function<void(const PredictedImage& image, const PredictResult& so_far)>;
PredictResult run_predict(const PredictOptions& o, const Globals& globals, Output& out, const OnImage& each);
Json to_json(const PredictedImage& image);
Json to_json(const PredictResult& result);
std::string to_text(const PredictedImage& image);

}  // namespace effnet::cli
