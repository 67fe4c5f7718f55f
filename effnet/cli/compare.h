// effnet compare MODEL --backends A,B: compares the outputs of two backends layer by layer.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "effnet/cli/load.h"
#include "effnet/model/measure.h"

namespace effnet::cli {

struct CompareOptions {
  std::string model, backends, image, resolution;
  LoadOptions load;
};
void declare_options(CLI::App& command, CompareOptions& options);

struct CompareResult {
  // The limit for a layer's largest difference, relative to the layer's largest value: about 10,000 times the rounding
  // error of float32.
  static constexpr double kMaxDifference = 1e-3;
  struct Layer {
    std::string name;
    model::Difference difference;
  };

  std::string model, weights;
  std::vector<std::string> backends;  // two
  std::vector<Layer> layers;          // layers that both backends provide, in the network's order
  model::Difference logits;
  bool top1_agree = false;

  // Returns the first layer with a difference above kMaxDifference, or null. NaN counts as above.
  const Layer* first_departure() const {
    const auto departs = [](const Layer& layer) { return !(layer.difference.max_rel <= kMaxDifference); };
    const auto found = std::ranges::find_if(layers, departs);
    return found == layers.end() ? nullptr : &*found;
  }
};
CompareResult run_compare(const CompareOptions& o, const Globals& globals, Output& out);
Json to_json(const CompareResult& result);
std::string to_text(const CompareResult& result);

}  // namespace effnet::cli
