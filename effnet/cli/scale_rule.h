// Options that choose a scaling rule, and the costs that a scaling can be limited by. For `scale` and `scale frontier`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "effnet/arch/scaling.h"
#include "effnet/cli/command.h"

namespace effnet::cli {

struct RuleOptions {
  std::string rule = "compound";
  arch::Coefficients coefficients = {};
  std::string dims = "dwr";
};
void declare_options(CLI::App& command, RuleOptions& options);
// Throws Error(usage) for an unknown rule, for coefficients outside the paper's constraint, and for options that the
// rule does not have.
arch::RuleChoice parse_rule(const RuleOptions& options);
void check_coefficients(const arch::Coefficients& coefficients);
std::string rules_text();  // every rule with its formula, for --help

// A cost that is counted, not measured.
struct CountedCost {
  std::string_view name;  // "macs"
  std::string_view flag;  // "--target-macs"
  double (*count)(const arch::ArchSpec& spec);
};
std::span<const CountedCost> counted_costs();  // MACs first
inline double count_macs(const arch::ArchSpec& spec) { return counted_costs().front().count(spec); }

void check_factor(double factor);     // of --factor
constexpr double kMinuteMs = 60'000;  // the largest latency target
Json measured_json(int threads);      // how a latency was measured: threads, batch, instruction set

}  // namespace effnet::cli
