// Options that choose a scaling rule. For `scale` and `scale frontier`.
#pragma once

#include <string>

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

void check_factor(double factor);  // of --factor
Json measured_json(int threads);   // how a latency was measured: threads, batch, instruction set

}  // namespace effnet::cli
