// The costs of a network that are counted from its graph, by name. A scaling or a search can be limited by any of them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/scaling.h"
#include "effnet/arch/spec.h"

namespace effnet::graph {

enum class CostUnit { number, bytes, milliseconds };

struct CountedCost {
  std::string_view name;    // "macs", "params", "memory"
  std::string_view plural;  // of what is counted, for messages: "MACs", "parameters", "bytes"
  CostUnit unit;
  double (*count)(const arch::ArchSpec& spec);  // MACs, parameters, bytes of live activations; for one image
};
// MACs first. A new cost is a row of the table in counted_costs.cc.
std::span<const CountedCost> counted_costs();
inline constexpr std::string_view kLatencyCost = "latency";   // the name of the cost that is measured, not counted
const CountedCost* find_counted_cost(std::string_view name);  // null if the name is unknown
std::vector<std::string> cost_names();                        // of all costs, the latency last
// Of a counted cost or of kLatencyCost.
CostUnit unit_of(std::string_view cost);
std::string cost_text(std::string_view cost, double value);  // "386M MACs", "5.29M parameters", "1.25MB", "12.3 ms"
std::string exact_cost_text(std::string_view cost, double value);  // "385,814,752 MACs", "65,536 bytes", "12.345 ms"
// Whether the cost depends on phi: it differs between the smallest network of the rule and one with about 16 times the
// MACs of the base. Parameters, for example, do not depend on the resolution. Throws like arch::scaled_by().
bool changes_cost(const arch::ArchSpec& base, const arch::RuleChoice& rule, const CountedCost& cost);
// arch::solve() for a counted cost. Throws Error(usage), with the unit of the cost, if the target is below the smallest
// or above the largest network of the rule, or if the rule does not change the cost; the hint has the rules that do.
arch::Scaling scale_to_cost(const arch::ArchSpec& base, double target, const arch::RuleChoice& rule,
                            const CountedCost& cost);
inline double count_macs(const arch::ArchSpec& spec) { return counted_costs().front().count(spec); }

}  // namespace effnet::graph
