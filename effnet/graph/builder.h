// Appends nodes to a Graph and infers their shapes: the only place where shapes are computed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::graph {

class Builder {
 public:
  Builder(std::string name, Chw input);

  // Returns the new node. Throws Error(input) if the op cannot take its inputs' shapes (a picture too small for the
  // network) and Error(internal) if the caller wired it wrongly.
  NodeId add(std::string name, Op op, std::vector<NodeId> inputs);

  const Chw& shape(NodeId id) const { return graph_.at(id).out; }
  Graph& graph() { return graph_; }

 private:
  Graph graph_;
};

}  // namespace effnet::graph
