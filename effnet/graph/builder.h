// Appends nodes to a Graph and infers their shapes: the only place where shapes are computed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::graph {

// The shape of what `op` makes of inputs of these shapes. Throws Error(input) if it cannot take them or if one of its
// numbers is out of range.
Chw infer_shape(const Op& op, const std::vector<Chw>& in);

class Builder {
 public:
  Builder(std::string name, Chw input);

  // Returns the new node. Throws Error(input) as infer_shape() does (an image too small for the network) and
  // Error(internal) if an input is no node.
  NodeId add(std::string name, Op op, std::vector<NodeId> inputs);

  const Chw& shape(NodeId id) const { return graph_.at(id).out; }
  Graph& graph() { return graph_; }

 private:
  Graph graph_;
};

}  // namespace effnet::graph
