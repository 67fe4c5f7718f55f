// Do a file's tensors fit a network? Compares the names and dims of a NameMap with what the file holds.
#pragma once

#include <string>
#include <vector>

#include "effnet/formats/names.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

struct Fit {
  std::vector<std::string> wrong;    // "NAME (got 10x1280, expected 1000x1280)"
  std::vector<std::string> missing;  // foreign names
  std::vector<std::string> unused;   // weights of layers that the network has no place for
  std::vector<std::string> surplus;  // what is no parameter of any kind of layer: counters, a loss's own weights
  std::vector<std::string> skipped;  // leftovers of training that no network needs: EMA twins, optimiser slots, steps
  bool exact() const { return wrong.empty() && missing.empty() && unused.empty(); }
  std::size_t problems() const { return wrong.size() + missing.size() + unused.size(); }
};

Fit fit(const NameMap& map, const tensor::Weights& weights);

// "3 of another shape: A (got 3, expected 4), B (..), C (..); 40 missing: D, E, F, ..; 1 unused: 'G'": three of each.
std::string describe(const Fit& fit);

// The tensor of that name; of a TensorFlow checkpoint its moving average where there is one (the published accuracies
// are the averages': docs/reference/checkpoints.md, section 2.1). Null if absent.
const tensor::Tensor* find_foreign(const tensor::Weights& weights, std::string_view foreign);

}  // namespace effnet::formats
