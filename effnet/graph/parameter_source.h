// An interface to the values of a network's parameters. The values are stored separately from the networks. So several
// graphs can read one source, and each graph reads the tensors, or slices of tensors, that it needs.
#pragma once

#include "effnet/graph/graph.h"

namespace effnet::graph {

// Values is std::span<const float> for inference and a LibTorch tensor for training.
template <class Values>
class ParameterSource {
 public:
  virtual ~ParameterSource() = default;
  // Returns a row-major tensor with the parameter's dims, or a slice of a tensor. It stays valid while the source
  // exists. Throws Error if the source has no such tensor.
  virtual Values at(const Parameter& parameter) const = 0;
  // Throws Error(input) if the graph is inconsistent (graph::check), and Error if the source lacks a parameter of the
  // graph.
  virtual void check(const Graph& graph) const {
    graph::check(graph);
    for (const Parameter& parameter : parameters(graph)) at(parameter);
  }
};

}  // namespace effnet::graph
