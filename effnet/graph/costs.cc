#include "effnet/graph/costs.h"

#include <algorithm>

#include "effnet/base/error.h"

namespace effnet::graph {
namespace {

std::int64_t product(std::initializer_list<std::int64_t> factors) {
  std::int64_t result = 1;
  for (const std::int64_t factor : factors) {
    if (__builtin_mul_overflow(result, factor, &result))
      throw input_error("the network is too large (a number of parameters, MACs or bytes exceeds 2^63)");
  }
  return result;
}

void accumulate(std::int64_t& sum, std::int64_t value) {
  if (__builtin_add_overflow(sum, value, &sum))
    throw input_error("the network is too large (a number of parameters, MACs or bytes exceeds 2^63)");
}

}  // namespace

NodeCosts costs(const Graph& graph, const Node& node) {
  NodeCosts result;
  for (const Parameter& parameter : parameters(graph, node)) {
    accumulate(parameter.statistic() ? result.statistics : result.params, parameter.numel());
  }
  if (const auto* conv = std::get_if<Conv>(&node.op)) {
    result.macs =
        product({node.out.c, node.out.h, node.out.w, graph.in(node).c / conv->groups, conv->kernel * conv->kernel});
  } else if (std::holds_alternative<Linear>(node.op)) {
    result.macs = product({node.out.c, graph.in(node).c});
  }
  return result;
}

Costs costs(const Graph& graph) {
  Costs total;
  for (const Node& node : graph.nodes) {
    const NodeCosts one = costs(graph, node);
    accumulate(total.params, one.params);
    accumulate(total.statistics, one.statistics);
    accumulate(total.macs, one.macs);
    if (!std::holds_alternative<Linear>(node.op)) total.params_without_classifier += one.params;
  }
  return total;
}

ActivationMemory activation_memory(const Graph& graph, std::int64_t batch) {
  std::vector<std::size_t> last_use(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    last_use[i] = std::max(last_use[i], i);
    for (const NodeId id : graph.nodes[i].inputs) last_use[static_cast<std::size_t>(id)] = i;
  }
  last_use[static_cast<std::size_t>(graph.logits)] = graph.nodes.size();

  const auto bytes = [&](std::size_t i) {
    const Chw& out = graph.nodes[i].out;
    return product({4, batch, out.c, out.h, out.w});
  };
  ActivationMemory memory;
  std::int64_t live = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    memory.largest_bytes = std::max(memory.largest_bytes, bytes(i));
    accumulate(live, bytes(i));
    memory.peak_bytes = std::max(memory.peak_bytes, live);
    if (last_use[i] == i) live -= bytes(i);
    for (std::size_t k = 0; k < graph.nodes[i].inputs.size(); ++k) {
      const auto in = static_cast<std::size_t>(graph.nodes[i].inputs[k]);
      const bool seen =
          std::find(graph.nodes[i].inputs.begin(), graph.nodes[i].inputs.begin() + static_cast<std::ptrdiff_t>(k),
                    graph.nodes[i].inputs[k]) != graph.nodes[i].inputs.begin() + static_cast<std::ptrdiff_t>(k);
      if (last_use[in] == i && in != i && !seen) live -= bytes(in);
    }
  }
  return memory;
}

}  // namespace effnet::graph
