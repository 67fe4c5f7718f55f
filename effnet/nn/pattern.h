// Patterns of graph nodes that the fused steps know. No torch, no model names.
#pragma once

#include <optional>

#include "effnet/graph/graph.h"

namespace effnet::nn {

using graph::NodeId;

// A convolution, its batch norm, its activation.
struct ConvNodes {
  NodeId conv = -1, norm = -1, activate = -1;
};

// [expand] depthwise [squeeze and excitation] project [drop path, residual]
struct MbConvNodes {
  std::optional<ConvNodes> expand;
  ConvNodes depthwise;
  NodeId reduce = -1, squeeze_activate = -1, excite = -1;  // -1: no squeeze and excitation
  ConvNodes project;                                       // without an activation
  NodeId drop_path = -1, add = -1;
  NodeId input = -1, last = -1;
};
std::optional<MbConvNodes> match_mbconv(const graph::Graph& graph, NodeId first);

struct ConvBnActNodes {
  ConvNodes nodes;
  NodeId input = -1, last = -1;
};
// A 1x1 convolution with stride 1, or any without groups that reads the network's input.
std::optional<ConvBnActNodes> match_conv_bn_act(const graph::Graph& graph, NodeId first);

}  // namespace effnet::nn
