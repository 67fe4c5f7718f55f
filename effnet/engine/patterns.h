// Questions that packing and planning ask about the nodes of a Graph. The answers depend on the Graph only.
#pragma once

#include <variant>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::engine {

using graph::NodeId;
inline constexpr NodeId kNone = -1;

// Returns the op of the node if it has the type Op, else null.
template <class Op>
const Op* find_op(const graph::Graph& graph, NodeId node) {
  return std::get_if<Op>(&graph.at(node).op);
}

// Returns true if a node is a convolution with one group per channel. Throws Error(input) for other grouped
// convolutions, which the engine does not support.
bool is_depthwise(const graph::Graph& graph, NodeId node);

// Returns true if a convolution runs as Winograd's F(2x2, 3x3). It must be dense and 3x3 with stride 1, must not read
// the network's input, and must have at least 32 input and 32 output channels. With fewer channels the transforms cost
// as much as the saved multiplications.
bool uses_winograd(const graph::Graph& graph, NodeId node);

// Returns, by node, the batch norm that is folded into this convolution, or kNone. A batch norm is folded if it is the
// only reader of the convolution.
std::vector<NodeId> folded_norms(const graph::Graph& graph);

}  // namespace effnet::engine
