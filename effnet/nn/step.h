// A network runs as a list of steps; each step computes one or more consecutive nodes of the graph. A plain step
// (plain.cc) computes a single node with LibTorch operations. A fused step (fused.cc) runs on effnet's kernels and
// computes a pattern of several nodes, or a linear layer. A new pattern is one more line in fused_step().
#pragma once

#include <torch/types.h>

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
  // The step computes nodes [first, last] and outputs the value of `last`. The values of the nodes before `last` are
  // not kept.
  graph::NodeId first = 0, last = 0;
  std::vector<graph::NodeId> inputs;  // nodes before `first` whose values the step reads
  bool accepts_blocked = false;       // inputs may be in the blocked layout (nn/layout.h)
  std::function<torch::Tensor(std::span<const torch::Tensor> inputs, const ForwardContext& pass)> run;
};

using Bind = std::function<torch::Tensor(const std::string& parameter_name)>;

// Returns a plain step for one node. Throws Error(input) for an Input node, since it has nothing to compute.
Step plain_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind, const NetworkOptions& options);

// Returns a fused step that begins at node `id`; nothing if no pattern matches. A pattern matches only if no later node
// reads one of its inner values. If a forward pass cannot run on effnet's kernels (GPU, other dtype, autocast), the
// returned step runs the plain steps of its nodes.
std::optional<Step> fused_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind,
                               const NetworkOptions& options);

}  // namespace effnet::nn
