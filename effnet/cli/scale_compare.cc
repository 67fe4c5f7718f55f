#include "effnet/cli/scale_compare.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/program.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/graph/lower.h"
#include "effnet/model/scale_to_latency.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

constexpr double kDefaultFactor = 4;  // as in Table 3 of Tan & Le 2019
constexpr double kSeconds = 1;        // of measurement per network
constexpr int kRounds = 5;

void check_options(const ScaleOptions& options) {
  const std::vector<std::string> ways = given_ways(options);
  const bool known = ways.empty() || options.phi || options.factor || !options.target_macs.empty();
  if (ways.size() > 1 || !known) {
    throw usage_error("--compare: choose one number of MACs (got {}, expected --target-macs, --factor or --phi)",
                      fmt::join(ways, " and "));
  }
  const RuleOptions defaults;
  if (options.rule.rule != defaults.rule || options.rule.dims != defaults.dims)
    throw usage_error("--compare shows all rules (got --rule or --dims, expected neither)");
  if (!options.out.empty()) throw usage_error("--compare: -o needs one network (got {}, expected no -o)", options.out);
  check_coefficients(options.rule.coefficients);
}

double target_macs(const ScaleOptions& options, const arch::ArchSpec& base) {
  if (options.phi) {
    check_phi(*options.phi);
    return graph::count_macs(arch::scaled_by(base, *options.phi, {.coefficients = options.rule.coefficients}).spec);
  }
  if (!options.target_macs.empty()) return parse_cost("--target-macs", options.target_macs, "macs");
  const double factor = options.factor.value_or(kDefaultFactor);
  check_factor(factor);
  return factor * graph::count_macs(base);
}

std::optional<CompareRulesResult::Network> network_for(const arch::ArchSpec& base, double target,
                                                       const arch::RuleChoice& choice) {
  std::optional<arch::Scaling> scaling = arch::find_scaling(base, target, choice, graph::count_macs);
  if (!scaling) return {};
  const graph::Graph graph = graph::lower(scaling->spec);
  CompareRulesResult::Network network{.scaling = *std::move(scaling), .costs = graph::costs(graph)};
  network.multipliers = multiplier_texts(base, network.scaling);
  network.peak_bytes = graph::activation_memory(graph).peak_bytes;
  network.reached = static_cast<double>(network.costs.macs) >= (1 - arch::kTargetTolerance) * target;
  return network;
}

void check_any_network(const CompareRulesResult& result) {
  using Row = CompareRulesResult::Row;
  if (std::ranges::any_of(result.rows, [](const Row& row) { return row.network.has_value(); })) return;
  const Row& nearest = *std::ranges::min_element(result.rows, {}, &Row::smallest_macs);
  throw usage_error(
      "--compare: no rule has a network this small (got {} MACs, expected at least {}, the smallest network of {} by "
      "the rule {})",
      grouped(result.target_macs), grouped(nearest.smallest_macs), result.base, nearest.rule->name);
}

void measure_latencies(CompareRulesResult& result) {
  std::vector<arch::ArchSpec> specs;
  for (const CompareRulesResult::Row& row : result.rows) {
    if (row.network) specs.push_back(row.network->scaling.spec);
  }
  const std::vector<Timing> timings = model::time_networks(specs, result.threads, kSeconds, kRounds);
  auto next = timings.begin();
  for (CompareRulesResult::Row& row : result.rows) {
    if (row.network) row.network->timing = *next++;
  }
}

bool is_measured(const CompareRulesResult& result) {
  return std::any_of(result.rows.begin(), result.rows.end(),
                     [](const auto& row) { return row.network && row.network->timing; });
}

}  // namespace

CompareRulesResult run_compare_rules(const ScaleOptions& options, const Globals& globals, Output& out) {
  check_options(options);
  const arch::ArchSpec base = formats::describe(formats::find_model(options.base, formats::Pulled::ignore)).arch;
  const double target = std::floor(target_macs(options, base));
  constexpr double kMostMacs = 1e18;  // of a 64-bit count
  if (!(target <= kMostMacs))
    throw usage_error("--compare: too many MACs (got {:g}, expected at most {:g})", target, kMostMacs);
  CompareRulesResult result{
      .base = base.name, .target_macs = static_cast<std::int64_t>(target), .threads = thread_count(globals)};
  for (const arch::Rule& rule : arch::rules()) {
    check_interrupt();
    const arch::RuleChoice choice{&rule, options.rule.coefficients, {}};
    const double smallest = graph::count_macs(arch::scaled_by(base, arch::kSmallestPhi, choice).spec);
    result.rows.push_back({&rule, static_cast<std::int64_t>(smallest), network_for(base, target, choice)});
  }
  check_any_network(result);
  if (!options.no_latency) {
    out.note("measuring the networks in turns");
    measure_latencies(result);
  }
  return result;
}

Json to_json(const CompareRulesResult& result) {
  Json rows = Json::array();
  const bool measured = is_measured(result);
  for (const auto& [rule, smallest_macs, network] : result.rows) {
    Json row{{"rule", rule->name}};
    for (const char* key : {"phi", "depth", "late_depth", "width", "resolution", "macs", "params", "activations"})
      row[key] = nullptr;
    if (measured) row["latency_ms"] = nullptr;
    row["reached"] = network && network->reached;
    row["smallest_macs"] = smallest_macs;
    if (network) {
      row["phi"] = *network->scaling.phi;
      row["depth"] = network->scaling.depth;
      row["late_depth"] = network->scaling.late_depth;
      row["width"] = network->scaling.width;
      row["resolution"] = network->scaling.resolution;
      row["macs"] = network->costs.macs;
      row["params"] = network->costs.params;
      row["activations"] = {{"peak_bytes", network->peak_bytes}};
      if (network->timing) row["latency_ms"] = network->timing->median();
    }
    rows.push_back(std::move(row));
  }
  Json document{{"base", result.base}, {"target_macs", result.target_macs}, {"rows", std::move(rows)}};
  if (measured) document["measured"] = measured_json(result.threads);
  return document;
}

std::string to_text(const CompareRulesResult& result) {
  const bool measured = is_measured(result);
  std::vector<report::Column> columns{{"rule", report::Align::left},
                                      {"depth"},
                                      {"later"},
                                      {"width"},
                                      {"px"},
                                      {"MACs"},
                                      {"of target"},
                                      {"parameters"},
                                      {"memory"}};
  if (measured) columns.push_back({"latency"});
  const std::size_t width = columns.size();
  report::Table table(std::move(columns));
  std::string too_large;  // the rules without a network
  for (const auto& [rule, smallest_macs, network] : result.rows) {
    std::vector<std::string> cells{std::string(rule->name)};
    if (network) {
      const arch::Scaling& scaling = network->scaling;
      const auto macs = static_cast<double>(network->costs.macs);
      for (const std::string& multiplier :
           {network->multipliers.depth, network->multipliers.late_depth, network->multipliers.width})
        cells.push_back(multiplier);
      cells.push_back(std::to_string(scaling.resolution));
      cells.push_back(grouped(network->costs.macs));
      cells.push_back(fmt::format("{:.1f} %", 100 * macs / static_cast<double>(result.target_macs)));
      cells.push_back(grouped(network->costs.params));
      cells.push_back(graph::cost_text("memory", static_cast<double>(network->peak_bytes)));
      if (measured) cells.push_back(fmt::format("{:.2f} ms", network->timing->median()));
    }
    if (!network) {
      too_large += fmt::format("{}: the smallest network of this rule has {} MACs, more than the target\n", rule->name,
                               grouped(smallest_macs));
    }
    cells.resize(width, "-");
    table.row(std::move(cells));
  }
  std::string text =
      fmt::format("{} scaled by each rule to at most {} MACs\n", result.base, grouped(result.target_macs));
  text += "later: a further multiplier of the depth of the later stages\n";
  text += "memory: the peak of activations in fp32, without fusion\n";
  if (measured)
    text += fmt::format("latency: median, batch 1, {}, the networks measured in turns\n",
                        count_of(result.threads, "thread"));
  text += "\n" + table.text();
  return too_large.empty() ? text : text + "\n" + too_large;
}

}  // namespace effnet::cli
