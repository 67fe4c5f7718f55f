// How the result of scale frontier is shown: as a drawing, JSON and a table.
#include <fmt/ranges.h>

#include <algorithm>

#include "effnet/base/text.h"
#include "effnet/cli/scale_frontier.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/model/cost_by_name.h"
#include "effnet/report/svg.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

using Row = FrontierResult::Row;

std::string axis_title(std::string_view cost) {
  if (cost == model::kLatencyCost) return "latency in ms";
  if (cost == "memory") return "memory of activations in MB";
  return cost == "params" ? "parameters in millions" : "MACs in millions";
}

double drawn(const Row& row, std::string_view cost) {
  return cost == model::kLatencyCost ? spent(row, cost) : spent(row, cost) * 1e-6;
}

// "the rule compound" or "the rules compound, fast, width".
std::string rules_of(const FrontierResult& result) {
  return fmt::format("the rule{} {}", result.rules.size() == 1 ? "" : "s", fmt::join(result.rules, ", "));
}

// The rules with a network that its multipliers alone do not make.
std::vector<std::string> rules_needed(const FrontierResult& result) {
  std::vector<std::string> rules;
  for (const Row& row : result.rows) {
    if (row.needs_rule && std::ranges::find(rules, row.rule) == rules.end()) rules.emplace_back(row.rule);
  }
  return rules;
}

}  // namespace

double spent(const Row& row, std::string_view cost) {
  if (cost == model::kLatencyCost) return row.timing->median();
  if (cost == "memory") return static_cast<double>(row.peak_bytes);
  return static_cast<double>(cost == "params" ? row.costs.params : row.costs.macs);
}

std::string drawing(const FrontierResult& result) {
  constexpr std::size_t kColours = 7;  // from there on the colours repeat
  const std::string_view across = result.cost == "macs" ? "params" : "macs";
  const std::string axes = fmt::format("{} over {}", axis_title(result.cost), axis_title(across));
  report::Chart chart;
  chart.title = fmt::format("{} scaled by {}: {}", result.base, rules_of(result), axes);
  chart.x.title = axis_title(across);
  chart.y.title = axis_title(result.cost);
  chart.x.log = chart.y.log = true;
  for (const Row& row : result.rows) {
    if (chart.lines.empty() || chart.lines.back().name != row.rule) {
      const auto i = static_cast<std::size_t>(std::ranges::find(result.rules, row.rule) - result.rules.begin());
      chart.lines.push_back({.name = std::string(row.rule),
                             .points = {},
                             .colour = static_cast<int>(i),
                             .dashed = i >= kColours,
                             .dots = true});
    }
    chart.lines.back().points.push_back({drawn(row, across), drawn(row, result.cost)});
  }
  return report::svg_file(fmt::format("{}: the largest network for each budget", result.base),
                          {{axes, report::svg(chart)}});
}

Json to_json(const FrontierResult& result) {
  Json rows = Json::array();
  for (const Row& row : result.rows) {
    Json json{{"rule", row.rule},
              {"budget", row.budget},
              {"phi", *row.scaling.phi},
              {"depth", row.scaling.depth},
              {"late_depth", row.scaling.late_depth},
              {"width", row.scaling.width},
              {"resolution", row.scaling.resolution},
              {"params", row.costs.params},
              {"macs", row.costs.macs},
              {"activations", {{"peak_bytes", row.peak_bytes}}}};
    if (row.timing) json["latency_ms"] = row.timing->median();
    rows.push_back(std::move(json));
  }
  Json document{{"base", result.base},
                {"rule", fmt::format("{}", fmt::join(result.rules, ","))},
                {"cost", result.cost},
                {"rows", std::move(rows)}};
  if (result.rows.front().timing) document["measured"] = measured_json(result.threads);
  if (!result.out.empty()) document["path"] = result.out;
  return document;
}

std::string to_text(const FrontierResult& result) {
  if (result.out == "-") return result.svg;
  const bool several = result.rules.size() > 1, measured = result.rows.front().timing.has_value();
  const bool later = std::ranges::any_of(result.rows, [](const Row& row) { return row.scaling.late_depth != 1; });
  std::vector<report::Column> columns;
  if (several) columns.push_back({"rule", report::Align::left});
  for (const char* title : {"budget", "reached", "phi", "depth"}) columns.push_back({title});
  if (later) columns.push_back({"later"});
  for (const char* title : {"width", "px", "parameters", "MACs", "memory"}) columns.push_back({title});
  if (measured) columns.push_back({"latency"});
  report::Table table(std::move(columns));
  const bool number = graph::unit_of(result.cost) == graph::CostUnit::number;
  for (const Row& row : result.rows) {
    std::vector<std::string> cells;
    if (several) cells.emplace_back(row.rule);
    cells.push_back(number ? abbreviated(row.budget) : graph::cost_text(result.cost, row.budget));
    cells.push_back(fmt::format("{:.1f} %", 100 * spent(row, result.cost) / row.budget));
    cells.push_back(fmt::format("{:.2f}", *row.scaling.phi));
    cells.push_back(row.multipliers.depth);
    if (later) cells.push_back(row.multipliers.late_depth);
    cells.push_back(row.multipliers.width);
    cells.push_back(std::to_string(row.scaling.resolution));
    cells.push_back(grouped(row.costs.params));
    cells.push_back(grouped(row.costs.macs));
    cells.push_back(graph::cost_text("memory", static_cast<double>(row.peak_bytes)));
    if (measured) cells.push_back(fmt::format("{:.2f} ms", row.timing->median()));
    table.row(std::move(cells));
  }
  std::string text =
      fmt::format("{} scaled by {}: the largest network for each budget of {}\n{}\n", result.base, rules_of(result),
                  result.cost, later ? "later: a further multiplier of the depth of the later stages\n" : "") +
      table.text();
  if (const std::vector<std::string> rules = rules_needed(result); !rules.empty()) {
    text += fmt::format(
        "\nthe networks of {} need the rule, because depth, width and px alone make others: effnet scale BASE --rule "
        "RULE {} BUDGET\n",
        fmt::join(rules, ", "), target_flag(result.cost));
  }
  if (!result.out.empty()) text += fmt::format("\nwritten to {}\n", result.out);
  return text;
}

}  // namespace effnet::cli
