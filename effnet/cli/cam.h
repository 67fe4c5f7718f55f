// effnet cam MODEL IMAGE -o OUT.png|jpg|webp [--class K]: draws the class activation map (the paper's Figure 7) over
// the image.
#pragma once

#include <string>

#include "effnet/cli/load.h"
#include "effnet/model/classifier.h"

namespace effnet::cli {

struct CamOptions {
  std::string model, image, out, resolution, backend = "engine";
  int class_index = -1;  // -1: the predicted class
  LoadOptions load;
};
void declare_options(CLI::App& command, CamOptions& options);

struct CamResult {
  model::Prediction shown;
  std::string weights, path;
};
CamResult run_cam(const CamOptions& o, const Globals& globals, Output& out);
Json to_json(const CamResult& result);
std::string to_text(const CamResult& result);

}  // namespace effnet::cli
