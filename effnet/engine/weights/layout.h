// The layout of packed weights. It depends on graph and target only; packing and planning share it.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/engine/packed_weights.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/kernels.h"
#include "effnet/primitives/gather.h"
#include "effnet/primitives/packed_matrix.h"

namespace effnet::engine {

// The depth layout of a Conv with groups = 1 or a Linear.
primitives::DepthLayout depth_of(const graph::Graph& graph, graph::NodeId node);
// The shape of the packed weights of that GEMM; for a Winograd layer, of each of its 16 positions.
primitives::PackedShape packed_shape(const graph::Graph& graph, const kernels::KernelSet& set, graph::NodeId node);

// The packed weights of a depthwise convolution are one window per channel block. If the instruction set has
// depthwise_pair kernels (kernels.h), the weights for pairs of rows follow after all blocks; the width of the image
// decides which of the two is used.
// Returns the number of values per channel for pairs of rows, or 0.
std::int64_t pair_taps(const kernels::KernelSet& set, const graph::Conv& conv);

// Bytes of the packed weights and biases of a node, each a multiple of kAlignment; zero if the node has no values of
// its own.
struct PackedSize {
  std::int64_t weight = 0;
  std::int64_t bias = 0;
};
PackedSize packed_size(const graph::Graph& graph, const kernels::Target& target, graph::NodeId node);

// The offsets of all nodes: node after node, first weights, then biases.
struct WeightsLayout {
  std::vector<PackedWeights::Offsets> offsets;  // by node
  std::int64_t bytes = 0;
};
WeightsLayout layout_of(const graph::Graph& graph, const kernels::Target& target);

}  // namespace effnet::engine
