// What a Graph costs, counted exactly. MACs are multiply-adds of convolutions (squeeze-and-excitation included) and the
// classifier; batch norm, activations, pooling, additions and biases count zero. Parameters are the trainable ones;
// batch norm's moving statistics are counted apart. This is the paper's convention (its "FLOPS").
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/graph/graph.h"

namespace effnet::graph {

struct NodeCosts {
  std::int64_t params = 0;
  std::int64_t statistics = 0;
  std::int64_t macs = 0;  // one image
};
// Throws Error(input) if a count leaves 64 bits. These trust the graph, as parameters() does: one that was filled in by
// hand and not by lower() must fit together. Sessions and packing check that.
EFFNET_API NodeCosts costs(const Graph& graph, const Node& node);

struct Costs {
  std::int64_t params = 0;
  std::int64_t params_without_classifier = 0;
  std::int64_t statistics = 0;
  std::int64_t macs = 0;
  std::int64_t weights_bytes() const { return 4 * (params + statistics); }  // fp32, statistics included
};
EFFNET_API Costs costs(const Graph& graph);

// fp32, one buffer per node output, nothing fused: the largest buffer, and the largest sum of buffers alive at once
// when nodes run in order and a node's inputs live while it runs.
struct ActivationMemory {
  std::int64_t largest_bytes = 0;
  std::int64_t peak_bytes = 0;
};
EFFNET_API ActivationMemory activation_memory(const Graph& graph, std::int64_t batch = 1);

}  // namespace effnet::graph
