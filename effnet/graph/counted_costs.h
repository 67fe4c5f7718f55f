// The costs of a network that are counted from its graph, by name. A scaling or a search can be limited by any of them.
#pragma once

#include <span>
#include <string_view>

#include "effnet/arch/spec.h"

namespace effnet::graph {

struct CountedCost {
  std::string_view name;                        // "macs", "params", "memory"
  double (*count)(const arch::ArchSpec& spec);  // MACs, parameters, bytes of live activations; for one image
};
// MACs first. A new cost is a row of the table in counted_costs.cc.
std::span<const CountedCost> counted_costs();
inline constexpr std::string_view kLatencyCost = "latency";   // the name of the cost that is measured, not counted
const CountedCost* find_counted_cost(std::string_view name);  // null if the name is unknown
inline double count_macs(const arch::ArchSpec& spec) { return counted_costs().front().count(spec); }

}  // namespace effnet::graph
