// Appends nodes to a Graph and infers their shapes. Shapes are computed only here.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::graph {

// The output shape of `op` for inputs of these shapes. Throws Error(input) if the shapes do not fit or if a number of
// the op is out of range.
Chw infer_shape(const Op& op, const std::vector<Chw>& in);

class Builder {
 public:
  Builder(std::string name, Chw input);

  // Returns the id of the new node. Throws Error(input) like infer_shape() (for example, if the image is too small for
  // the network) and Error(internal) if an input does not exist.
  NodeId add(std::string name, Op op, std::vector<NodeId> inputs);

  const Chw& shape(NodeId id) const { return graph_.at(id).out; }
  Graph& graph() { return graph_; }

 private:
  Graph graph_;
};

}  // namespace effnet::graph
