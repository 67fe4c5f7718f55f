// Options that choose a scaling rule. For `scale` and `scale frontier`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/scaling.h"
#include "effnet/cli/command.h"

namespace effnet::cli {

struct RuleOptions {
  std::string rule = "compound";
  arch::Coefficients coefficients = {};
  std::string dims = "dwr";
};
// `several`: --rule is a list for parse_rules().
void declare_options(CLI::App& command, RuleOptions& options, bool several = false);
// Throws Error(usage) for an unknown rule, for coefficients outside the paper's constraint, and for options that the
// rule does not have.
arch::RuleChoice parse_rule(const RuleOptions& options);
// The same for a list such as "compound,fast", or "all". Coefficients and dimensions are for those rules of the list
// that have them. Throws if no rule does.
std::vector<arch::RuleChoice> parse_rules(const RuleOptions& options);
void check_coefficients(const arch::Coefficients& coefficients);
std::string rules_text();  // every rule with its formula, for --help

// The multipliers of a scaling of `base` for a table: with as few digits (at least 4) as give the same channels and
// repeats when they are typed.
struct MultiplierTexts {
  std::string depth, late_depth, width;
};
MultiplierTexts multiplier_texts(const arch::ArchSpec& base, const arch::Scaling& scaling);
// Whether `effnet scale --depth --width --resolution` with the multipliers of the scaling makes its network. It does
// not if the rule also changes the rounding, or the depth of the later stages.
bool multipliers_suffice(const arch::ArchSpec& base, const arch::Scaling& scaling);

void check_factor(double factor);                // of --factor
std::string target_flag(std::string_view cost);  // the target option of `scale` for a cost, such as --target-macs
Json measured_json(int threads);                 // how a latency was measured: threads, batch, instruction set

}  // namespace effnet::cli
