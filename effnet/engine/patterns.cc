#include "effnet/engine/patterns.h"

#include "effnet/base/error.h"

namespace effnet::engine {

using graph::Graph;
using graph::Node;

bool is_depthwise(const Graph& graph, NodeId node) {
  const auto* conv = find_op<graph::Conv>(graph, node);
  if (conv == nullptr || conv->groups == 1) return false;
  const Node& at = graph.at(node);
  if (conv->groups == graph.in(at).c && conv->groups == at.out.c) return true;
  throw input_error(
      "{}: the engine does not support this grouped convolution (got {} groups for {} channels, expected 1 or {})",
      at.name, conv->groups, graph.in(at).c, graph.in(at).c);
}

bool uses_winograd(const Graph& graph, NodeId id) {
  constexpr std::int64_t kMinChannels = 32;
  const graph::Conv* const conv = find_op<graph::Conv>(graph, id);
  const Node& node = graph.at(id);
  return conv != nullptr && conv->kernel == 3 && conv->stride == 1 && conv->groups == 1 && node.inputs[0] != 0 &&
         graph.in(node).c >= kMinChannels && node.out.c >= kMinChannels;
}

std::vector<NodeId> folded_norms(const Graph& graph) {
  std::vector<NodeId> norms(graph.nodes.size(), kNone);
  std::vector<int> readers(graph.nodes.size(), 0);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const NodeId in : graph.nodes[i].inputs) {
      ++readers[static_cast<std::size_t>(in)];
      if (find_op<graph::Conv>(graph, in) != nullptr && std::holds_alternative<graph::BatchNorm>(graph.nodes[i].op)) {
        norms[static_cast<std::size_t>(in)] = static_cast<NodeId>(i);
      }
    }
  }
  for (std::size_t i = 0; i < norms.size(); ++i) {
    if (readers[i] != 1) norms[i] = kNone;
  }
  return norms;
}

}  // namespace effnet::engine
