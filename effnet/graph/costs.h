// The exact costs of a Graph. MACs are the multiply-adds of convolutions (including squeeze-and-excitation) and of the
// classifier; batch norm, activations, pooling, additions and biases count zero. Parameters are the trainable ones; the
// moving statistics of batch norm are counted separately. This is the paper's convention (its "FLOPS").
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/graph/graph.h"

namespace effnet::graph {

struct NodeCosts {
  std::int64_t params = 0;
  std::int64_t statistics = 0;
  std::int64_t macs = 0;  // for one image
};
// These functions throw Error(input) if a count exceeds 64 bits. Like parameters() they do not check the graph: a graph
// that was not made by lower() must be consistent (graph::check). Sessions and weight packing call graph::check().
EFFNET_API NodeCosts costs(const Graph& graph, const Node& node);

struct Costs {
  std::int64_t params = 0;
  std::int64_t params_without_classifier = 0;
  std::int64_t statistics = 0;
  std::int64_t macs = 0;
  std::int64_t weights_bytes() const { return 4 * (params + statistics); }  // fp32, statistics included
};
EFFNET_API Costs costs(const Graph& graph);

// Memory for activations in fp32 with one buffer per node output and no fusion: the largest buffer, and the largest
// total of buffers in use at the same time. Nodes run in order; a buffer is in use until its last reader has finished.
struct ActivationMemory {
  std::int64_t largest_bytes = 0;
  std::int64_t peak_bytes = 0;
};
EFFNET_API ActivationMemory activation_memory(const Graph& graph, std::int64_t batch = 1);

}  // namespace effnet::graph
