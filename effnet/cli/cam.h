// effnet cam MODEL IMAGE... -o OUT: draws class activation maps: one image, a folder of images, or a grid with one row
// for each image and one column for each model (the paper's Figure 7).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/load.h"
#include "effnet/model/classifier.h"

namespace effnet::cli {

struct CamOptions {
  std::string model, out, resolution, backend = "engine";
  std::vector<std::string> images;  // files and folders
  std::string models;               // more models for the grid, separated by commas
  std::string shown;                // --class: an index, label or class id; empty: the predicted class
  std::string method = "cam";       // or gradcam, which effnet-train computes
  std::string layer;                // gradcam: the node whose output the map shows; empty: the last feature map
  double alpha = 0.7;               // opacity of the hottest point, 0..1
  LoadOptions load;
};
void declare_options(CLI::App& command, CamOptions& options);

// Returns the map of a photo for one model. `shown` is the class; empty: the predicted one.
using MapOf = std::function<model::ActivationMap(const vision::Image& photo, std::optional<std::size_t> shown)>;
// Prepares a model for maps. The model outlives the result.
using MapMaker = MapOf (*)(model::ModelHandle& model, const CamOptions& o, ThreadPool& pool);
MapOf engine_maps(model::ModelHandle& model, const CamOptions& o, ThreadPool& pool);  // class activation maps

struct CamResult {
  struct Map {
    std::string image = {}, model = {}, weights = {}, path = {};
    model::Prediction shown = {};
    std::optional<Error> error = {};  // the image could not be read; there is no map
  };
  std::vector<Map> maps;  // a grid: row after row
  bool list = false;      // the JSON is an array
};
CamResult run_cam(const CamOptions& o, const Globals& globals, Output& out, MapMaker maker);
Json to_json(const CamResult& result);
std::string to_text(const CamResult& result);

// The command of both programs. Exits with 3 if an image of a folder could not be read.
Body declare_cam_with(CLI::App& command, const Globals& globals, MapMaker maker);

// Returns the index of the class with this number, label or class id. Throws Error(usage) if there is none, or if
// several classes have this label.
std::size_t class_of(const model::ModelHandle& model, const std::string& text);

}  // namespace effnet::cli
