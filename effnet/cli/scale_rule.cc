#include "effnet/cli/scale_rule.h"

#include <utility>
#include <vector>

#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/kernels/isa.h"

namespace effnet::cli {
namespace {

arch::Dimensions parse_dims(const std::string& text) {
  arch::Dimensions dims{false, false, false};
  for (const char letter : text) {
    if (letter == 'd') {
      dims.depth = true;
    } else if (letter == 'w') {
      dims.width = true;
    } else if (letter == 'r') {
      dims.resolution = true;
    } else {
      throw usage_error("--dims: unknown dimension (got {}, expected one or more of the letters d, w, r)",
                        in_quotes(text));
    }
  }
  if (text.empty())
    throw usage_error("--dims: no dimension (got nothing, expected one or more of the letters d, w, r)");
  return dims;
}

const arch::Rule& find_rule(const std::string& name) {
  try {
    return arch::rule(name);
  } catch (const Error& error) {
    throw error.in("--rule");
  }
}

// The names of the rules that have a property.
std::string rules_with(bool arch::Rule::*property) {
  std::vector<std::string> names;
  for (const arch::Rule& rule : arch::rules()) {
    if (rule.*property) names.emplace_back(rule.name);
  }
  return one_of(names);
}

}  // namespace

void declare_options(CLI::App& command, RuleOptions& options) {
  command.add_option("--rule", options.rule, "Use this scaling rule: " + one_of(names_of(arch::rules())))
      ->type_name("RULE");
  command.add_option("--alpha", options.coefficients.alpha, "Set the base of the depth multiplier");
  command.add_option("--beta", options.coefficients.beta, "Set the base of the width multiplier");
  command.add_option("--gamma", options.coefficients.gamma, "Set the base of the resolution multiplier");
  command.add_option("--dims", options.dims,
                     "Scale only these dimensions: one or more of d (depth), w (width), r (resolution)");
}

void check_coefficients(const arch::Coefficients& c) {
  const std::pair<const char*, double> rows[] = {{"--alpha", c.alpha}, {"--beta", c.beta}, {"--gamma", c.gamma}};
  for (const auto& [name, value] : rows) {
    if (!(value >= 1 && value <= 10))
      throw usage_error("{}: out of range (got {}, expected 1 to 10; the paper requires at least 1)", name, value);
  }
}

arch::RuleChoice parse_rule(const RuleOptions& options) {
  check_coefficients(options.coefficients);
  const arch::RuleChoice choice{&find_rule(options.rule), options.coefficients, parse_dims(options.dims)};
  if (!choice.rule->has_coefficients && choice.coefficients != arch::Coefficients{}) {
    throw usage_error("--alpha, --beta and --gamma: this rule does not use them (got --rule {}, expected {})",
                      choice.rule->name, rules_with(&arch::Rule::has_coefficients));
  }
  if (!choice.rule->has_dimensions && choice.dimensions != arch::Dimensions{}) {
    throw usage_error("--dims: this rule has fixed dimensions (got --rule {}, expected {})", choice.rule->name,
                      rules_with(&arch::Rule::has_dimensions));
  }
  return choice;
}

std::string rules_text() {
  std::string text = "Rules (d, w, r multiply depth, width, resolution; s is the factor on the MACs):\n";
  for (const arch::Rule& rule : arch::rules()) text += fmt::format("  {:<11} {}\n", rule.name, rule.formula);
  return text;
}

void check_factor(double factor) {
  constexpr double kMaxFactor = 1e6;
  if (!(factor > 0 && factor <= kMaxFactor)) {
    throw usage_error("--factor: out of range (got {}, expected a number above 0 and at most {})", factor, kMaxFactor);
  }
}

Json measured_json(int threads) {
  return {{"threads", threads}, {"batch", 1}, {"isa", kernels::name(kernels::chosen_isa())}};
}

}  // namespace effnet::cli
