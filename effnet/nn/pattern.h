// Finds the patterns of graph nodes for which there are fused steps. Uses neither torch nor model names.
#pragma once

#include <optional>

#include "effnet/graph/graph.h"

namespace effnet::nn {

using graph::NodeId;

// A convolution, its batch norm and its activation. -1: no such node.
struct ConvNodes {
  NodeId conv = -1, norm = -1, activate = -1;
};

// [expand] depthwise [squeeze-and-excitation] project [[drop path,] residual]
struct MbConvNodes {
  std::optional<ConvNodes> expand;
  ConvNodes depthwise;
  NodeId reduce = -1, squeeze_activate = -1, excite = -1;  // -1: no squeeze-and-excitation
  ConvNodes project;                                       // without an activation
  NodeId drop_path = -1, add = -1;
  NodeId input = -1, last = -1;
};
// Returns the MBConv block that begins at node `first`, if there is one.
std::optional<MbConvNodes> match_mbconv(const graph::Graph& graph, NodeId first);

struct ConvBnActNodes {
  ConvNodes nodes;
  NodeId input = -1, last = -1;
};
// Returns the convolution, batch norm and activation that begin at node `first`, if they match. The convolution has one
// group, and is 1x1 with stride 1 or reads the network's input.
std::optional<ConvBnActNodes> match_conv_bn_act(const graph::Graph& graph, NodeId first);

}  // namespace effnet::nn
