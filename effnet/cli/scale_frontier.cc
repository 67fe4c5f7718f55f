#include "effnet/cli/scale_frontier.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/program.h"
#include "effnet/graph/lower.h"
#include "effnet/model/cost_by_name.h"
#include "effnet/model/scale_to_latency.h"
#include "effnet/report/svg.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

constexpr double kSeconds = 0.5;  // of measurement per network
constexpr int kRounds = 5;

// `points` budgets at equal ratios, the first and the last as given.
std::vector<double> budgets(const FrontierOptions& options, const graph::CountedCost* cost, const arch::ArchSpec& base,
                            int threads) {
  double from = options.from.empty() ? 0 : parse_cost("--from", options.from, options.cost);
  double to = options.to.empty() ? 0 : parse_cost("--to", options.to, options.cost);
  if (options.from.empty() || options.to.empty()) {
    const double here = cost == nullptr ? model::time_network(base, threads, kSeconds).median() : cost->count(base);
    if (options.from.empty()) from = here / 4;
    if (options.to.empty()) to = 4 * here;
  }
  if (!(from < to))
    throw usage_error("--from: not below --to (got {} and {}, expected a smaller number)",
                      graph::exact_cost_text(options.cost, from), graph::exact_cost_text(options.cost, to));
  std::vector<double> result;
  result.reserve(static_cast<std::size_t>(options.points));
  for (int i = 0; i < options.points; ++i)
    result.push_back(from * std::pow(to / from, static_cast<double>(i) / (options.points - 1)));
  result.back() = to;
  return result;
}

FrontierResult::Row row_of(double budget, arch::Scaling scaling) {
  const graph::Graph graph = graph::lower(scaling.spec);
  return {.budget = budget,
          .scaling = std::move(scaling),
          .costs = graph::costs(graph),
          .peak_bytes = graph::activation_memory(graph).peak_bytes};
}

// Throws if the budget is above all networks of the rule: the rows of such budgets would all be one network.
void check_reached(const FrontierResult::Row& row, double to, const graph::CountedCost& cost,
                   const arch::RuleChoice& rule) {
  if (!row.scaling.at_limit) return;
  const double largest = cost.count(row.scaling.spec);
  if (largest >= (1 - arch::kTargetTolerance) * row.budget) return;
  throw usage_error("--to: above the largest network of the rule {} (got {}, expected at most {})", rule.rule->name,
                    graph::exact_cost_text(cost.name, to), graph::exact_cost_text(cost.name, largest));
}

void measure_latencies(FrontierResult& result) {
  std::vector<arch::ArchSpec> specs;
  for (const FrontierResult::Row& row : result.rows) specs.push_back(row.scaling.spec);
  std::vector<model::Timing> timings = model::time_networks(specs, result.threads, kSeconds, kRounds);
  for (std::size_t i = 0; i < timings.size(); ++i) result.rows[i].timing = std::move(timings[i]);
}

std::vector<FrontierResult::Row> find_rows(const FrontierOptions& options, const arch::ArchSpec& base,
                                           const arch::RuleChoice& rule, int threads, Output& out) {
  const graph::CountedCost* cost = model::find_cost(options.cost);
  std::vector<FrontierResult::Row> rows;
  int too_small = 0;
  const std::vector<double> all = budgets(options, cost, base, threads);
  // The largest first: one that is too large is refused before the slow search for the next ones.
  for (auto next = all.rbegin(); next != all.rend(); ++next) {
    const double budget = *next;
    check_interrupt();
    if (cost == nullptr) {
      model::TimedScaling timed =
          model::scale_to_latency(base, budget, rule, threads, [&out](std::string_view text) { out.note(text); });
      rows.push_back(row_of(budget, std::move(timed.scaling)));
      rows.back().timing = std::move(timed.timing);
    } else if (std::optional<arch::Scaling> found = arch::find_scaling(base, budget, rule, cost->count)) {
      rows.push_back(row_of(budget, *std::move(found)));
      check_reached(rows.back(), all.back(), *cost, rule);
    } else {
      ++too_small;
    }
  }
  std::ranges::reverse(rows);
  if (rows.empty()) graph::scale_to_cost(base, all.back(), rule, *cost);  // throws
  if (too_small > 0)
    out.warn(fmt::format("left out {} of {} budgets: the smallest network of the rule costs more", too_small,
                         options.points));
  return rows;
}

double cost_of(const FrontierResult::Row& row, std::string_view cost) {
  if (cost == model::kLatencyCost) return row.timing->median();
  if (cost == "memory") return static_cast<double>(row.peak_bytes) * 1e-6;
  return static_cast<double>(cost == "params" ? row.costs.params : row.costs.macs) * 1e-6;
}

std::string axis_title(std::string_view cost) {
  if (cost == model::kLatencyCost) return "latency in ms";
  if (cost == "memory") return "memory of activations in MB";
  return cost == "params" ? "parameters in millions" : "MACs in millions";
}

// The cost over the MACs. If the cost is the MACs: over the parameters.
std::string draw(const FrontierResult& result) {
  const std::string_view across = result.cost == "macs" ? "params" : "macs";
  report::Chart chart;
  chart.title = fmt::format("{} scaled by the rule {}: {} over {}", result.base, result.rule, axis_title(result.cost),
                            axis_title(across));
  chart.x.title = axis_title(across);
  chart.x.log = chart.y.log = true;
  report::Line& line = chart.lines.emplace_back();
  line.dots = true;
  for (const FrontierResult::Row& row : result.rows)
    line.points.push_back({cost_of(row, across), cost_of(row, result.cost)});
  return report::svg_file(
      fmt::format("{}: the largest network for each budget", result.base),
      {{fmt::format("{} over {}, rule {}", axis_title(result.cost), axis_title(across), result.rule),
        report::svg(chart)}});
}

}  // namespace

void declare_options(CLI::App& command, FrontierOptions& options) {
  command.add_option("BASE", options.base, kModelHelp)->required();
  command.add_option("--cost", options.cost, "What a budget limits: macs, params, memory or latency")
      ->required()
      ->type_name("COST");
  command
      .add_option("--from", options.from,
                  "Begin with this budget: 100M, 20MB, or milliseconds for latency [a quarter of the cost of BASE]")
      ->type_name("X");
  command.add_option("--to", options.to, "End with this budget [4 times the cost of BASE]")->type_name("Y");
  add_number(command, "--points", options.points, 2, 100, "Use N budgets, each larger by the same factor [9]");
  declare_options(command, options.rule);
  command.add_flag("--latency", options.latency, "Measure the latency of each network, whatever the cost is");
  command.add_option("-o,--out", options.out, "Draw the result to an SVG file; - means stdout")->type_name("FILE.svg");
}

FrontierResult run_frontier(const FrontierOptions& options, const Globals& globals, Output& out) {
  const arch::RuleChoice rule = parse_rule(options.rule);
  model::find_cost(options.cost);
  const bool to_stdout = is_stdout("-o", options.out, globals);
  check_extension("-o", options.out, ".svg");
  check_not_input("-o", options.out, options.base);
  const arch::ArchSpec base = formats::describe(formats::find_model(options.base, formats::Pulled::ignore)).arch;
  FrontierResult result{.base = base.name,
                        .cost = options.cost,
                        .rule = std::string(rule.rule->name),
                        .threads = thread_count(globals),
                        .out = options.out};
  arch::scaled_by(base, 0, rule);  // throws before a measurement if the network cannot be scaled
  result.rows = find_rows(options, base, rule, result.threads, out);
  if (options.latency && options.cost != model::kLatencyCost) measure_latencies(result);
  result.svg = draw(result);
  if (!options.out.empty() && !to_stdout) write_text(options.out, result.svg);
  return result;
}

Json to_json(const FrontierResult& result) {
  Json rows = Json::array();
  for (const FrontierResult::Row& row : result.rows) {
    Json json{{"budget", row.budget},
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
  Json document{{"base", result.base}, {"rule", result.rule}, {"cost", result.cost}, {"rows", std::move(rows)}};
  if (result.rows.front().timing) document["measured"] = measured_json(result.threads);
  if (!result.out.empty()) document["path"] = result.out;
  return document;
}

std::string to_text(const FrontierResult& result) {
  if (result.out == "-") return result.svg;
  const bool measured = result.rows.front().timing.has_value();
  std::vector<report::Column> columns{{"budget"}, {"phi"},        {"depth"}, {"width"},
                                      {"px"},     {"parameters"}, {"MACs"},  {"memory"}};
  if (measured) columns.push_back({"latency"});
  report::Table table(std::move(columns));
  for (const FrontierResult::Row& row : result.rows) {
    std::vector<std::string> cells{
        result.cost == model::kLatencyCost ? fmt::format("{:.3g} ms", row.budget) : abbreviated(row.budget),
        fmt::format("{:.2f}", *row.scaling.phi),
        fmt::format("{:.3f}", row.scaling.depth),
        fmt::format("{:.3f}", row.scaling.width),
        std::to_string(row.scaling.resolution),
        grouped(row.costs.params),
        grouped(row.costs.macs),
        fmt::format("{:.1f} MB", static_cast<double>(row.peak_bytes) * 1e-6)};
    if (measured) cells.push_back(fmt::format("{:.2f} ms", row.timing->median()));
    table.row(std::move(cells));
  }
  std::string text = fmt::format("{} scaled by the rule {}: the largest network for each budget of {}\n\n", result.base,
                                 result.rule, result.cost) +
                     table.text();
  if (!result.out.empty()) text += fmt::format("\nwritten to {}\n", result.out);
  return text;
}

}  // namespace effnet::cli
