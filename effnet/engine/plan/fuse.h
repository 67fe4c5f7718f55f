// Converts a Graph into fused ops: each is one node (usually a convolution) with the neighbouring nodes that are fused
// into it. The patterns depend on the Graph only, not on the name of the network.
//
// These fusions are always done: dropout, drop path and identity are removed, and a batch norm after a convolution is
// folded into the convolution's weights. PlanOptions controls the others: the activation and an addition after a
// convolution become its epilogue; a depthwise convolution runs the convolution before it inside its own step, which
// computes the rows just in time (row cascade); a depthwise convolution sums its output for the global pool after it; a
// 1x1 convolution applies the channel scale before it.
#pragma once

#include <vector>

#include "effnet/engine/options.h"
#include "effnet/engine/patterns.h"
#include "effnet/graph/graph.h"

namespace effnet::engine {

struct FusedOp {
  enum class Kind {
    gemm,         // convolution with groups = 1, or linear layer
    winograd,     // convolution with groups = 1 for which uses_winograd() is true
    depthwise,    // convolution with groups = channels
    map,          // standalone batch norm, activation, addition or channel scale, or several of them
    pool,         // max or average
    global_pool,  // mean over h and w
    concat,
    pad,
  };
  Kind kind = Kind::map;
  NodeId out = kNone;          // the node whose output it computes
  std::vector<NodeId> inputs;  // the nodes whose outputs it reads; the first is the main input
  NodeId layer = kNone;        // the node that has the weights, the window or the padding amounts
  graph::Activation activation = graph::Activation::none;
  NodeId addend = kNone;  // added before the activation
  NodeId scale = kNone;   // 1x1 per image: multiplies the channels of the main input
  // For depthwise: the convolution that computes its input rows, or kNone. inputs[0] is then the input of that
  // convolution.
  NodeId producer = kNone;
  graph::Activation producer_activation = graph::Activation::none;
  // For a depthwise op: the global pool whose sums it computes. For the op of this global pool: the pool itself, which
  // then reads the sums. Otherwise kNone.
  NodeId pooled = kNone;
};

// Returns the fused ops in execution order. Each node in `keep` is the output of an op, unless it is always fused.
std::vector<FusedOp> fuse(const graph::Graph& graph, const PlanOptions& options, const std::vector<NodeId>& keep);

}  // namespace effnet::engine
