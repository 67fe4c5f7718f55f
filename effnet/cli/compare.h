// effnet compare MODEL --backends A,B: two ways of computing one network, layer by layer.
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
  static constexpr double kDeparts = 1e-3;  // of a layer's largest value: 10,000 times float32's rounding
  struct Layer {
    std::string name;
    model::Difference difference;
  };

  std::string model, weights;
  std::vector<std::string> backends;  // two
  std::vector<Layer> layers;          // that both show, in the network's order
  model::Difference logits;
  bool top1_agree = false;

  // The first layer that departs by more than kDeparts; null if there is none.
  const Layer* first_departure() const {
    const auto departs = [](const Layer& layer) { return !(layer.difference.max_rel <= kDeparts); };
    const auto found = std::ranges::find_if(layers, departs);
    return found == layers.end() ? nullptr : &*found;
  }
};
CompareResult run_compare(const CompareOptions& o, const Globals& globals, Output& out);
Json to_json(const CompareResult& result);
std::string to_text(const CompareResult& result);

}  // namespace effnet::cli
