#include "effnet/cli/scale_family.h"

#include <fmt/ranges.h>

#include <cmath>
#include <string>
#include <vector>

#include "effnet/base/text.h"
#include "effnet/cli/describe_json.h"
#include "effnet/graph/lower.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

std::string channels_text(const graph::Graph& graph) {
  std::string text;
  for (const graph::Stage& stage : graph.stages)
    text += fmt::format("{}{}x{}", text.empty() ? "" : " ", stage.channels, stage.repeats);
  return text;
}

FamilyResult::Formula formula_for(const arch::Variant& variant, const arch::Coefficients& c) {
  const auto base_resolution = static_cast<double>(variant.base_resolution);
  const double ratio = static_cast<double>(variant.resolution) / base_resolution;
  const double phi = std::log(variant.depth * variant.width * variant.width * ratio * ratio) / std::log(c.constraint());
  return {phi, std::pow(c.alpha, phi), std::pow(c.beta, phi), std::pow(c.gamma, phi) * base_resolution};
}

// An arch file or a model file has no published scalings.
const arch::Variant& named_base(const std::string& base) {
  try {
    return arch::variant(base);
  } catch (const Error& error) {
    throw error.in("--family");
  }
}

// Only --alpha, --beta and --gamma have an effect: the published scalings are fixed.
void check_options(const ScaleOptions& options) {
  std::vector<std::string> others = given_ways(options);
  const RuleOptions defaults;
  if (options.rule.rule != defaults.rule) others.emplace_back("--rule");
  if (options.rule.dims != defaults.dims) others.emplace_back("--dims");
  if (options.compare) others.emplace_back("--compare");
  if (options.no_latency) others.emplace_back("--no-latency");
  if (!options.out.empty()) others.emplace_back("-o");
  if (others.empty()) return;
  throw usage_error(
      "--family: it shows the published scalings (got {} too, expected no other option than --alpha, "
      "--beta and --gamma)",
      fmt::join(others, " and "));
}

}  // namespace

FamilyResult run_family(const ScaleOptions& options) {
  check_options(options);
  check_coefficients(options.rule.coefficients);
  if (!(options.rule.coefficients.constraint() > 1)) {
    throw usage_error(
        "--family: no phi gives the published scalings, because these coefficients scale nothing (got "
        "alpha*beta^2*gamma^2 = 1, expected --alpha, --beta or --gamma above 1)");
  }
  const arch::Variant& base = named_base(options.base);
  FamilyResult result{options.rule.coefficients, {}};
  for (const arch::Variant& variant : arch::family()) {
    if (variant.base != base.base) continue;
    graph::Graph graph = graph::lower(variant.spec);
    const graph::Costs costs = graph::costs(graph);
    result.rows.push_back({&variant, formula_for(variant, result.coefficients), std::move(graph), costs});
  }
  return result;
}

Json to_json(const FamilyResult& result) {
  Json rows = Json::array();
  for (const auto& [variant, formula, graph, costs] : result.rows) {
    rows.push_back({{"name", variant->name},
                    {"depth", variant->depth},
                    {"width", variant->width},
                    {"resolution", variant->resolution},
                    {"formula",
                     {{"phi", formula.phi},
                      {"depth", formula.depth},
                      {"width", formula.width},
                      {"resolution", formula.resolution}}},
                    {"params", costs.params},
                    {"macs", costs.macs},
                    {"paper", {{"params", variant->published.params}, {"macs", variant->published.macs}}},
                    {"stages", stages_json(graph)}});
  }
  return rows;
}

std::string to_text(const FamilyResult& result) {
  // As the papers print them: 1.0, 0.75, 0.695.
  const auto printed = [](double coefficient) {
    return std::round(10 * coefficient) == 10 * coefficient ? fmt::format("{:.1f}", coefficient)
                                                            : fmt::format("{:g}", coefficient);
  };
  report::Table table({{"name", report::Align::left},
                       {"d"},
                       {"w"},
                       {"px"},
                       {"phi"},
                       {"d=a^phi"},
                       {"w=b^phi"},
                       {"px=g^phi"},
                       {"parameters"},
                       {"paper"},
                       {"MACs"},
                       {"paper"},
                       {"channels x repeats", report::Align::left}});
  for (const auto& [variant, formula, graph, costs] : result.rows) {
    table.row({variant->name, printed(variant->depth), printed(variant->width), std::to_string(variant->resolution),
               fmt::format("{:.2f}", formula.phi), fmt::format("{:.2f}", formula.depth),
               fmt::format("{:.2f}", formula.width), fmt::format("{:.0f}", formula.resolution), grouped(costs.params),
               variant->published.params, grouped(costs.macs), variant->published.macs, channels_text(graph)});
  }
  return fmt::format(
             "Published coefficients (d, w, px), and the formula's values at the phi with the same d*w^2*r^2\n"
             "(alpha {}, beta {}, gamma {}: alpha*beta^2*gamma^2 = {:.4f})\n\n",
             result.coefficients.alpha, result.coefficients.beta, result.coefficients.gamma,
             result.coefficients.constraint()) +
         table.text();
}

}  // namespace effnet::cli
