// From a Graph to what the engine computes: units, each a convolution with all that can ride on it. Patterns are found
// in the Graph alone; nothing here knows a network's name.
//
// Always: dropout, drop path and identity vanish, and a batch norm behind a convolution is folded into its weights. By
// PlanOptions: the activation and an addition behind a convolution become its epilogue; the convolution in front of a
// depthwise one computes its rows just ahead of it; a depthwise convolution sums its own global pool; a channel scale
// in front of a 1x1 convolution goes into that.
#pragma once

#include <vector>

#include "effnet/engine/options.h"
#include "effnet/engine/patterns.h"
#include "effnet/graph/graph.h"

namespace effnet::engine {

struct FusedOp {
  enum class Kind {
    gemm,         // convolution with groups = 1, or linear
    winograd,     // the same where uses_winograd() says so
    depthwise,    // convolution with groups = channels
    map,          // standalone batch norm, activation, addition, channel scale, or several of them
    pool,         // max or average
    global_pool,  // mean over h and w
    concat,
    pad,
  };
  Kind kind = Kind::map;
  NodeId out = kNone;          // the node whose output it makes
  std::vector<NodeId> inputs;  // materialised nodes it reads; the first is the main one
  NodeId layer = kNone;        // the node that has the weights, window or amounts
  graph::Activation activation = graph::Activation::none;
  NodeId addend = kNone;  // added before the activation
  NodeId scale = kNone;   // 1x1 per image: multiplies the main input's channels
  // depthwise: the convolution that makes its input rows (gemm; inputs[0] is then that one's input), or kNone.
  NodeId producer = kNone;
  graph::Activation producer_activation = graph::Activation::none;
  NodeId pooled = kNone;  // depthwise: the global pool it sums; the global pool itself is a op that reads the sums
};

// In an order that can run. `keep`: nodes whose outputs must exist.
std::vector<FusedOp> fuse(const graph::Graph& graph, const PlanOptions& options, const std::vector<NodeId>& keep);

}  // namespace effnet::engine
