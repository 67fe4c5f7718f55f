// Compares the tensors of a file with the names and dims of a network's parameters (NameMap in names.h).
#pragma once

#include <string>
#include <vector>

#include "effnet/formats/names.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

struct Fit {
  std::vector<std::string> wrong;    // wrong shape or type: "NAME (got 10x1280, expected 1000x1280)"
  std::vector<std::string> missing;  // names of parameters that the file does not have
  // Names of the file's tensors that are not used, in three groups:
  std::vector<std::string> unused;   // the name looks like a layer's parameter, so this may be another network
  std::vector<std::string> surplus;  // the name does not look like one: counters, the weights of a loss
  std::vector<std::string> skipped;  // known training state: variables with an average, optimiser slots, step counts
  bool exact() const { return wrong.empty() && missing.empty() && unused.empty(); }
  std::size_t problems() const { return wrong.size() + missing.size() + unused.size(); }
};

Fit fit(const NameMap& map, const tensor::Weights& weights);

// Returns a text with at most three names per list, such as
// "3 with a wrong shape or type: A (got 3, expected 4), B (..), C (..); 40 missing: D, E, F, ...; 1 unused: 'G'".
std::string describe(const Fit& fit);

// Returns the tensor named `foreign`, or null. In a TensorFlow checkpoint, returns the moving average of this tensor if
// there is one, because the published accuracies are those of the averages (docs/reference/checkpoints.md, section
// 2.1).
const tensor::Tensor* find_foreign(const tensor::Weights& weights, std::string_view foreign);

}  // namespace effnet::formats
