// Where packed weights lie: a pure function of graph and target, shared by what packs them and what plans.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/engine/packed_weights.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/kernels.h"
#include "effnet/primitives/gather.h"
#include "effnet/primitives/packed_matrix.h"

namespace effnet::engine {

// For a Conv with groups = 1 or a Linear.
primitives::DepthLayout depth_of(const graph::Graph& graph, graph::NodeId node);
// The packed weights of that GEMM; of each position where the layer runs as Winograd's.
primitives::PackedShape packed_shape(const graph::Graph& graph, const kernels::KernelSet& set, graph::NodeId node);

// A depthwise convolution's weights are packed as a window for each channel block and, where the set can make rows in
// pairs (kernels.h), after all of these for pairs too: which are used depends on the image's width.
// Values of a channel for pairs, or 0.
std::int64_t pair_taps(const kernels::KernelSet& set, const graph::Conv& conv);

// Bytes of a node's packed weights and biases, each a multiple of kAlignment; zero if it has none of its own.
struct PackedSize {
  std::int64_t weight = 0;
  std::int64_t bias = 0;
};
PackedSize packed_size(const graph::Graph& graph, const kernels::Target& target, graph::NodeId node);

// Where all of them lie: node after node, weights and then biases.
struct WeightsLayout {
  std::vector<PackedWeights::Offsets> offsets;  // by node
  std::int64_t bytes = 0;
};
WeightsLayout layout_of(const graph::Graph& graph, const kernels::Target& target);

}  // namespace effnet::engine
