// Where the values of a network's parameters come from. Weights are held apart from networks: many graphs can read one
// store, each its own tensors or slices of them.
#pragma once

#include "effnet/graph/graph.h"

namespace effnet::graph {

// Values: std::span<const float> for what runs a network, a tensor of LibTorch for what trains it.
template <class Values>
class ParameterSource {
 public:
  virtual ~ParameterSource() = default;
  // A tensor of the parameter's dims, or a slice of one, row-major; valid as long as the source. Throws Error if there
  // is none.
  virtual Values at(const Parameter& parameter) const = 0;
  // Throws Error(input) for a graph that is none (graph::check), or that asks for what is not there.
  virtual void check(const Graph& graph) const {
    graph::check(graph);
    for (const Parameter& parameter : parameters(graph)) at(parameter);
  }
};

}  // namespace effnet::graph
