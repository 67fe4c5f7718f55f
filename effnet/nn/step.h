// A network runs as a list of steps; each step computes one or more consecutive nodes of the graph. plain.cc makes a
// step for a single node, with LibTorch operations (a plain step). fused.cc makes steps that run on effnet's kernels (a
// fused step): patterns of several nodes, and linear layers. A new pattern is one more line in fused_step().
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "effnet/graph/graph.h"
#include "effnet/nn/network.h"

namespace effnet::nn {

struct Step {
  std::string pattern;  // plain steps: the op's name; fused steps: "mbconv", "conv_bn_act" or "linear"
  // The step computes nodes [first, last] and outputs the value of `last`. The other values are not kept.
  graph::NodeId first = 0, last = 0;
  std::vector<graph::NodeId> inputs;  // nodes before `first` whose values the step reads
  bool accepts_blocked = false;       // inputs may be in the blocked layout (nn/layout.h)
  std::function<torch::Tensor(std::span<const torch::Tensor> inputs, const ForwardContext& pass)> run;
};

using Bind = std::function<torch::Tensor(const std::string& parameter_name)>;

// A plain step for one node. Throws Error(input) for an Input node, which is no operation.
Step plain_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind, const NetworkOptions& options);

// A fused step that begins at node `id`; nothing if no pattern matches. No step after a pattern may read the pattern's
// inner values. Where a forward pass cannot run on effnet's kernels (GPU, other dtype, autocast), the returned step
// runs the plain steps of its nodes.
std::optional<Step> fused_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind,
                               const NetworkOptions& options);

}  // namespace effnet::nn
