#include "effnet/engine/weights/layout.h"

#include "effnet/engine/patterns.h"
#include "effnet/primitives/winograd.h"

namespace effnet::engine {
namespace {

using graph::Graph;
using graph::Node;
using kernels::kBlock;

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

}  // namespace

primitives::DepthLayout depth_of(const Graph& graph, NodeId id) {
  const Node& node = graph.at(id);
  const graph::Conv* const conv = find_op<graph::Conv>(graph, id);
  const std::int64_t channels = graph.in(node).c;
  if (conv != nullptr && node.inputs[0] == 0) return primitives::depth_of_image(channels, conv->kernel);
  if (conv != nullptr && (conv->kernel != 1 || conv->stride != 1))
    return primitives::depth_of_window(channels, conv->kernel);
  return {.gemm = primitives::depth_of_channels(channels)};
}

primitives::PackedShape packed_shape(const Graph& graph, const kernels::KernelSet& set, NodeId id) {
  const Node& node = graph.at(id);
  const std::int64_t depth = uses_winograd(graph, id) ? graph.in(node).c : depth_of(graph, id).gemm.total();
  return {node.out.c, depth, set.tile};
}

std::int64_t pair_taps(const kernels::KernelSet& set, const graph::Conv& conv) {
  const bool pairs = set.depthwise_pair(conv.kernel, conv.stride, false, kernels::Epilogue::clamp) != nullptr;
  return pairs ? kernels::depthwise_pair_positions(conv.kernel) * conv.kernel : 0;
}

PackedSize packed_size(const Graph& graph, const kernels::Target& target, NodeId id) {
  const kernels::KernelSet& set = kernels::kernel_set(target);
  const Node& node = graph.at(id);
  const std::int64_t channels = tensor::blocks_of(node.out.c) * kBlock;
  const auto size_of = [&](std::int64_t values) {  // bytes of `values` weights and of one bias per channel
    const auto bytes = [](std::int64_t n) {
      return round_up(n * static_cast<std::int64_t>(sizeof(float)), kernels::kAlignment);
    };
    return PackedSize{bytes(values), bytes(channels)};
  };
  if (std::holds_alternative<graph::BatchNorm>(node.op)) return size_of(channels);
  const graph::Conv* const conv = find_op<graph::Conv>(graph, id);
  if (conv == nullptr && !std::holds_alternative<graph::Linear>(node.op)) return {};
  if (is_depthwise(graph, id)) return size_of(channels * (conv->kernel * conv->kernel + pair_taps(set, *conv)));
  const std::int64_t values = packed_shape(graph, set, id).values();
  return size_of(uses_winograd(graph, id) ? primitives::kWinogradPositions * values : values);
}

WeightsLayout layout_of(const Graph& graph, const kernels::Target& target) {
  const std::vector<NodeId> norms = folded_norms(graph);
  std::vector<bool> folded(graph.nodes.size(), false);
  for (const NodeId norm : norms) {
    if (norm != kNone) folded[static_cast<std::size_t>(norm)] = true;
  }
  WeightsLayout layout;
  layout.offsets.resize(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (folded[i]) continue;
    const PackedSize size = packed_size(graph, target, static_cast<NodeId>(i));
    if (size.bias == 0) continue;
    layout.offsets[i] = {layout.bytes, layout.bytes + size.weight};
    layout.bytes += size.weight + size.bias;
  }
  return layout;
}

}  // namespace effnet::engine
