// What packing and planning ask about the layers of a Graph. Found in the Graph alone.
#pragma once

#include <variant>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::engine {

using graph::NodeId;
inline constexpr NodeId kNone = -1;

// The op of a node if it is of this kind, else null.
template <class Op>
const Op* find_op(const graph::Graph& graph, NodeId node) {
  return std::get_if<Op>(&graph.at(node).op);
}

// Whether a node is a convolution with one group a channel. Throws Error(input) for other groups, which the engine does
// not run.
bool is_depthwise(const graph::Graph& graph, NodeId node);

// Whether a convolution runs as Winograd's F(2x2, 3x3): dense, 3x3, stride 1, not of the image, and with at least 32
// channels on both sides, below which the transforms cost what the products save.
bool uses_winograd(const graph::Graph& graph, NodeId node);

// By node: the batch norm folded into this convolution, which is its only reader; else kNone.
std::vector<NodeId> folded_norms(const graph::Graph& graph);

}  // namespace effnet::engine
