// A network is a list of steps, each computing some consecutive nodes of the graph. plain.cc has a step for every op;
// fused.cc has patterns of several nodes, on own kernels. A new pattern is a line of fused_step().
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
  std::string pattern;  // "conv", "batch_norm", ...; of a fused one "mbconv", "conv_bn_act"
  graph::NodeId first = 0,
                last = 0;  // the nodes it computes; the value of `last` is its output, the others' are not kept
  std::vector<graph::NodeId> inputs;  // nodes before `first` whose values it reads
  bool takes_blocked = false;         // inputs may come as fused steps make them (nn/layout.h)
  std::function<torch::Tensor(std::span<const torch::Tensor> inputs, const Pass& pass)> run;
};

using Bind = std::function<torch::Tensor(const std::string& parameter_name)>;

// The node alone, by LibTorch's ops. Throws Error(input) for an op without one.
Step plain_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind, const NetworkOptions& options);

// The longest pattern that begins at node `id`, if any: none of its inner values may be read from outside of it. Where
// a pass cannot run on own kernels (another device or dtype), the step itself falls back to the plain steps of its
// nodes.
std::optional<Step> fused_step(const graph::Graph& graph, graph::NodeId id, const Bind& bind,
                               const NetworkOptions& options);

}  // namespace effnet::nn
