#include "effnet/search/space/part_work.h"

#include <string_view>

#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::search {
namespace {

// The part that a node belongs to: "stem", "stages.2.1" or "head" (docs/architecture.md, "Names of parameters").
std::string_view part_of_node(std::string_view name) {
  constexpr std::string_view kStages = "stages.";
  if (!name.starts_with(kStages)) return name.starts_with("stem.") ? "stem" : "head";
  return name.substr(0, name.find('.', name.find('.', kStages.size()) + 1));
}

PartWork work_of(const graph::Graph& graph, const graph::Node& node) {
  const graph::NodeCosts costs = graph::costs(graph, node);
  const auto* conv = std::get_if<graph::Conv>(&node.op);
  const bool depthwise = conv != nullptr && conv->groups > 1;
  const auto macs = static_cast<double>(costs.macs);
  return {depthwise ? 0 : macs, depthwise ? macs : 0, conv == nullptr ? 0 : static_cast<double>(node.out.numel()),
          static_cast<double>(costs.params), 0};
}

}  // namespace

std::vector<PartWork> work_of_parts(const arch::ArchSpec& spec) {
  const graph::Graph graph = graph::lower(spec);
  std::vector<PartWork> parts;
  std::string_view last;
  for (const graph::Node& node : graph.nodes) {
    if (std::holds_alternative<graph::Input>(node.op)) continue;
    const std::string_view part = part_of_node(node.name);
    if (part != last) parts.push_back({0, 0, 0, 0, 1});
    last = part;
    const PartWork work = work_of(graph, node);
    for (std::size_t i = 0; i < kWorkKinds; ++i) parts.back()[i] += work[i];
  }
  return parts;
}

}  // namespace effnet::search
