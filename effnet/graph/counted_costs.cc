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

constexpr double kPhiOfLarge = 4;  // the MACs grow 2^4 times, and about as much with the coefficients of compound

double smallest_cost(const arch::ArchSpec& base, const arch::RuleChoice& rule, const CountedCost& cost) {
  return cost.count(arch::scaled_by(base, arch::kSmallestPhi, rule).spec);
}

Error unchanged_cost(const arch::ArchSpec& base, double target, const arch::RuleChoice& rule, const CountedCost& cost) {
  std::vector<std::string> others;
  others.reserve(arch::rules().size());
  for (const arch::Rule& other : arch::rules()) {
    if (changes_cost(base, {&other, rule.coefficients, {}}, cost)) others.emplace_back(other.name);
  }
  const bool some = rule.dimensions != arch::Dimensions{};
  const Error error = usage_error(
      "the target cannot be reached: the rule {}{} does not change this cost of {} (got {}, expected {}, the cost of "
      "all its networks)",
      rule.rule->name, some ? " in these dimensions" : "", base.name, exact_cost_text(cost.name, target),
      exact_cost_text(cost.name, smallest_cost(base, rule, cost)));
  if (others.empty()) return error;
  return error.with_hint(fmt::format("{}--rule {} changes it", some ? "with all dimensions, " : "", one_of(others)));
}

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
  if (counted == nullptr) return fmt::format("{:.6g} ms", value);  // a time is not known better
  constexpr double kMostDigits = 1e15;                             // a double is exact up to 2^53
  if (value != std::floor(value) || value > kMostDigits) return fmt::format("{:g} {}", value, counted->plural);
  return fmt::format("{} {}", grouped(static_cast<std::int64_t>(value)), counted->plural);
}

bool changes_cost(const arch::ArchSpec& base, const arch::RuleChoice& rule, const CountedCost& cost) {
  const double smallest = smallest_cost(base, rule, cost);
  try {
    return cost.count(arch::scaled_by(base, kPhiOfLarge, rule).spec) != smallest;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::usage) throw;
    return true;  // this network is larger than an arch file can describe, so the rule changes something
  }
}

arch::Scaling scale_to_cost(const arch::ArchSpec& base, double target, const arch::RuleChoice& rule,
                            const CountedCost& cost) {
  if (!changes_cost(base, rule, cost)) throw unchanged_cost(base, target, rule, cost);
  std::optional<arch::Scaling> found = arch::find_scaling(base, target, rule, cost.count);
  if (!found) {
    throw usage_error(
        "the target cannot be reached (got {}, expected at least {}, the cost of the smallest scaling of {})",
        exact_cost_text(cost.name, target), exact_cost_text(cost.name, smallest_cost(base, rule, cost)), base.name);
  }
  const double reached = cost.count(found->spec);
  if (found->at_limit && reached < (1 - arch::kTargetTolerance) * target) {
    throw usage_error(
        "the target cannot be reached (got {}, expected at most {}, the cost of the largest scaling of {} by the rule "
        "{})",
        exact_cost_text(cost.name, target), exact_cost_text(cost.name, reached), base.name, rule.rule->name);
  }
  return *std::move(found);
}

}  // namespace effnet::graph
