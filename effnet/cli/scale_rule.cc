#include "effnet/cli/scale_rule.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/kernels/isa.h"

namespace effnet::cli {
namespace {

constexpr const char* kAllRules = "all";

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

// The rules of these names with the coefficients and dimensions that they have. Throws if none has those that are
// given.
std::vector<arch::RuleChoice> choices(const std::vector<std::string>& names, const RuleOptions& options) {
  check_coefficients(options.coefficients);
  std::vector<arch::RuleChoice> all;
  all.reserve(names.size());
  for (const std::string& name : names) all.push_back({.rule = &find_rule(name)});
  const arch::Dimensions dimensions = parse_dims(options.dims);
  bool scaled = options.coefficients == arch::Coefficients{}, selected = dimensions == arch::Dimensions{};
  for (arch::RuleChoice& choice : all) {
    if (choice.rule->has_coefficients) choice.coefficients = options.coefficients, scaled = true;
    if (choice.rule->has_dimensions) choice.dimensions = dimensions, selected = true;
  }
  if (!scaled) {
    throw usage_error("--alpha, --beta and --gamma: this rule does not use them (got --rule {}, expected {})",
                      options.rule, rules_with(&arch::Rule::has_coefficients));
  }
  if (!selected) {
    throw usage_error("--dims: this rule has fixed dimensions (got --rule {}, expected {})", options.rule,
                      rules_with(&arch::Rule::has_dimensions));
  }
  return all;
}

}  // namespace

void declare_options(CLI::App& command, RuleOptions& options, bool several) {
  const std::string rules = one_of(names_of(arch::rules()));
  command
      .add_option(
          "--rule", options.rule,
          several ? fmt::format("Use these scaling rules, separated by commas: {}; {}: all of them", rules, kAllRules)
                  : "Use this scaling rule: " + rules)
      ->type_name(several ? "RULE,..." : "RULE");
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

arch::RuleChoice parse_rule(const RuleOptions& options) { return choices({options.rule}, options).front(); }

std::vector<arch::RuleChoice> parse_rules(const RuleOptions& options) {
  if (options.rule == kAllRules) return choices(names_of(arch::rules()), options);
  const std::vector<std::string> names = split_list(options.rule);
  for (const std::string& name : names) {
    if (std::ranges::count(names, name) > 1)
      throw usage_error("--rule: the same rule twice (got {}, expected each rule once)", in_quotes(options.rule));
  }
  return choices(names, options);
}

MultiplierTexts multiplier_texts(const arch::ArchSpec& base, const arch::Scaling& scaling) {
  arch::ArchSpec start = base;  // with what the rule has set
  start.stem.scale_width = scaling.spec.stem.scale_width;
  start.head.scale_width = scaling.spec.head.scale_width;
  start.depth_rounding = scaling.spec.depth_rounding;
  const auto give_the_same = [&](const MultiplierTexts& texts) {
    try {
      arch::ArchSpec spec = arch::scaled(start, std::stod(texts.depth), std::stod(texts.width), scaling.resolution,
                                         std::stod(texts.late_depth));
      spec.name = scaling.spec.name;
      return spec == scaling.spec;
    } catch (const Error&) {
      return false;  // rounded up beyond the ranges of an arch file
    }
  };
  constexpr int kFewestDigits = 4, kAllDigits = 17;  // 17 digits identify every double
  for (int digits = kFewestDigits; digits < kAllDigits; ++digits) {
    MultiplierTexts texts{fmt::format("{:.{}g}", scaling.depth, digits),
                          fmt::format("{:.{}g}", scaling.late_depth, digits),
                          fmt::format("{:.{}g}", scaling.width, digits)};
    if (give_the_same(texts)) return texts;
  }
  return {fmt::format("{}", scaling.depth), fmt::format("{}", scaling.late_depth), fmt::format("{}", scaling.width)};
}

bool multipliers_suffice(const arch::ArchSpec& base, const arch::Scaling& scaling) {
  try {
    arch::ArchSpec spec = arch::scaled(base, scaling.depth, scaling.width, scaling.resolution);
    spec.name = scaling.spec.name;
    return spec == scaling.spec;
  } catch (const Error&) {
    return false;  // beyond the ranges of an arch file: the rule rounds otherwise
  }
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

std::string target_flag(std::string_view cost) {
  return fmt::format("--target-{}{}", cost, cost == graph::kLatencyCost ? "-ms" : "");
}

Json measured_json(int threads) {
  return {{"threads", threads}, {"batch", 1}, {"isa", kernels::name(kernels::chosen_isa())}};
}

}  // namespace effnet::cli
