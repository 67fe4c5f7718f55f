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

// Returns the depth layout of a Conv with groups = 1 or of a Linear.
primitives::DepthLayout depth_of(const graph::Graph& graph, graph::NodeId node);
// Returns the shape of the packed matrix of a Conv with groups = 1 or of a Linear. A Winograd layer has 16 packed
// matrices of this shape, one for each element of the transformed 4 x 4 tile.
primitives::PackedShape packed_shape(const graph::Graph& graph, const kernels::KernelSet& set, graph::NodeId node);

// Returns the number of weights per channel for pairs of rows, or 0 if there are none. The packed weights of a
// depthwise convolution are one window per channel block. If the instruction set has depthwise_pair kernels
// (kernels.h), the weights for pairs of rows follow after all blocks. The width of the image decides which of the two
// kinds is used.
std::int64_t pair_taps(const kernels::KernelSet& set, const graph::Conv& conv);

// The bytes of the packed weights and of the biases of a node. Both are multiples of kAlignment, and zero if the node
// has no packed values.
struct PackedSize {
  std::int64_t weight = 0;
  std::int64_t bias = 0;
};
PackedSize packed_size(const graph::Graph& graph, const kernels::Target& target, graph::NodeId node);

// The offsets of all nodes. The nodes are stored one after the other; each has first its weights, then its biases.
struct WeightsLayout {
  std::vector<PackedWeights::Offsets> offsets;  // by node
  std::int64_t bytes = 0;
};
WeightsLayout layout_of(const graph::Graph& graph, const kernels::Target& target);

}  // namespace effnet::engine
