#include "effnet/graph/counted_costs.h"

#include <algorithm>
#include <array>

#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::graph {
namespace {

constexpr std::array<CountedCost, 3> kCosts{
    {{"macs", [](const arch::ArchSpec& spec) { return static_cast<double>(costs(lower(spec)).macs); }},
     {"params", [](const arch::ArchSpec& spec) { return static_cast<double>(costs(lower(spec)).params); }},
     {"memory",
      [](const arch::ArchSpec& spec) { return static_cast<double>(activation_memory(lower(spec)).peak_bytes); }}}};

}  // namespace

std::span<const CountedCost> counted_costs() { return kCosts; }

const CountedCost* find_counted_cost(std::string_view name) {
  const auto* found = std::ranges::find(kCosts, name, &CountedCost::name);
  return found == kCosts.end() ? nullptr : found;
}

}  // namespace effnet::graph
