// Compares the tensors of a file with the names and dims that a network needs (NameMap).
#pragma once

#include <string>
#include <vector>

#include "effnet/formats/names.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

struct Fit {
  std::vector<std::string> wrong;    // "NAME (got 10x1280, expected 1000x1280)"
  std::vector<std::string> missing;  // foreign names
  std::vector<std::string> unused;   // named as a layer's parameter, but the network has no such parameter
  std::vector<std::string> surplus;  // not named as any layer's parameter: counters, the weights of a loss
  std::vector<std::string> skipped;  // training state: plain weights beside averages, optimiser slots, step counts
  bool exact() const { return wrong.empty() && missing.empty() && unused.empty(); }
  std::size_t problems() const { return wrong.size() + missing.size() + unused.size(); }
};

Fit fit(const NameMap& map, const tensor::Weights& weights);

// Returns a text with at most three names per list, such as
// "3 of another shape or type: A (got 3, expected 4), B (..), C (..); 40 missing: D, E, F, ...; 1 unused: 'G'".
std::string describe(const Fit& fit);

// Returns the tensor of this name, or null. In a TensorFlow checkpoint: its moving average if there is one, because the
// published accuracies are those of the averages (docs/reference/checkpoints.md, section 2.1).
const tensor::Tensor* find_foreign(const tensor::Weights& weights, std::string_view foreign);

}  // namespace effnet::formats
