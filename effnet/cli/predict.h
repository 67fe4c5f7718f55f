// effnet predict MODEL IMAGE...: classifies images and folders of images.
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
  std::vector<std::string> images;  // files, folders, or "-" alone
  int top = 5;
  std::string resolution, cam, dump_pixels, dump_input, mean, std;
  std::string min_score;  // a number, or "auto": the model's; empty: every answer is sure
  std::string precision = "fp32", backend = "engine";
  bool logits = false, raw = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, PredictOptions& options);

// The result for one image: an answer or an error.
struct PredictedImage {
  std::string path;
  std::optional<Error> error;
  model::Answer answer;
  bool logits = false;            // the output includes the logits
  std::string cam;                // the file with the class activation map; empty: not requested
  std::optional<bool> sure = {};  // whether the best score reaches --min-score; empty: not requested
};

struct PredictResult {
  std::string model, weights;
  std::optional<double> min_score = {};  // the threshold of --min-score, also that of "auto"; empty: not requested
  std::size_t total = 0;                 // the number of images, with those in folders; with paths from stdin 1
  std::vector<PredictedImage> images;
};

// Calls `each` after every image. Results of paths from stdin are not stored, since such a list may be endless.
using OnImage = std::function<void(const PredictedImage& image, const PredictResult& so_far)>;
PredictResult run_predict(const PredictOptions& o, const Globals& globals, Output& out, const OnImage& each);
Json to_json(const PredictedImage& image);
Json to_json(const PredictResult& result);
std::string to_text(const PredictedImage& image);
// One line: path, class, score. The layout for more than kManyImages images.
std::string to_line(const PredictedImage& image);
// "12 images: cat 7, dog 4, not sure 1": the predicted classes, most frequent first.
std::string summary(const PredictResult& result);
inline constexpr std::size_t kManyImages = 10;

}  // namespace effnet::cli
