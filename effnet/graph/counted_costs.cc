#include "effnet/graph/counted_costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::graph {
namespace {

constexpr std::array<CountedCost, 3> kCosts{{
    {"macs", "MACs", CostUnit::number,
     [](const arch::ArchSpec& spec) { return static_cast<double>(costs(lower(spec)).macs); }},
    {"params", "parameters", CostUnit::number,
     [](const arch::ArchSpec& spec) { return static_cast<double>(costs(lower(spec)).params); }},
    {"memory", "bytes", CostUnit::bytes,
     [](const arch::ArchSpec& spec) { return static_cast<double>(activation_memory(lower(spec)).peak_bytes); }},
}};

}  // namespace

std::span<const CountedCost> counted_costs() { return kCosts; }

const CountedCost* find_counted_cost(std::string_view name) {
  const auto* found = std::ranges::find(kCosts, name, &CountedCost::name);
  return found == kCosts.end() ? nullptr : found;
}

std::vector<std::string> cost_names() {
  std::vector<std::string> names = names_of(kCosts);
  names.emplace_back(kLatencyCost);
  return names;
}

CostUnit unit_of(std::string_view cost) {
  const CountedCost* const counted = find_counted_cost(cost);
  return counted == nullptr ? CostUnit::milliseconds : counted->unit;
}

std::string cost_text(std::string_view cost, double value) {
  const CountedCost* const counted = find_counted_cost(cost);
  if (counted == nullptr) return fmt::format("{:.3g} ms", value);
  if (counted->unit == CostUnit::bytes) return abbreviated(value) + "B";
  return fmt::format("{} {}", abbreviated(value), counted->plural);
}

std::string exact_cost_text(std::string_view cost, double value) {
  const CountedCost* const counted = find_counted_cost(cost);
  if (counted == nullptr) return fmt::format("{} ms", value);
  constexpr double kMostDigits = 1e15;  // a double is exact up to 2^53
  if (value != std::floor(value) || value > kMostDigits) return fmt::format("{:g} {}", value, counted->plural);
  return fmt::format("{} {}", grouped(static_cast<std::int64_t>(value)), counted->plural);
}

arch::Scaling scale_to_cost(const arch::ArchSpec& base, double target, const arch::RuleChoice& rule,
                            const CountedCost& cost) {
  if (std::optional<arch::Scaling> found = arch::find_scaling(base, target, rule, cost.count)) return *std::move(found);
  const double smallest = cost.count(arch::scaled_by(base, arch::kSmallestPhi, rule).spec);
  throw usage_error(
      "the target cannot be reached (got {}, expected at least {}, the cost of the smallest scaling of {})",
      exact_cost_text(cost.name, target), exact_cost_text(cost.name, smallest), base.name);
}

}  // namespace effnet::graph
