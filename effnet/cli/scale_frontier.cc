#include "effnet/cli/scale_frontier.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/load.h"
#include "effnet/cli/output_files.h"
#include "effnet/cli/program.h"
#include "effnet/graph/lower.h"
#include "effnet/model/cost_by_name.h"
#include "effnet/model/scale_to_latency.h"
#include "effnet/search/control/pareto.h"

namespace effnet::cli {
namespace {

using Row = FrontierResult::Row;

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

// What is the same for all rules.
struct Question {
  const arch::ArchSpec& base;
  std::string_view cost_name;
  const graph::CountedCost* cost;  // null: the latency
  std::vector<double> budgets;     // from the smallest to the largest
  bool several;                    // rules
  int threads;
};

Row row_of(const Question& question, const arch::RuleChoice& rule, double budget, arch::Scaling scaling) {
  const graph::Graph graph = graph::lower(scaling.spec);
  MultiplierTexts multipliers = multiplier_texts(question.base, scaling);
  const bool needs_rule = !multipliers_suffice(question.base, scaling);
  return {.rule = rule.rule->name,
          .budget = budget,
          .scaling = std::move(scaling),
          .multipliers = std::move(multipliers),
          .costs = graph::costs(graph),
          .peak_bytes = graph::activation_memory(graph).peak_bytes,
          .needs_rule = needs_rule};
}

// No value if the smallest network of the rule costs more. If the cost is the latency and there is one rule, that is an
// error, as it is for effnet scale.
std::optional<Row> find_row(const Question& question, const arch::RuleChoice& rule, double budget, Output& out) {
  if (question.cost != nullptr) {
    std::optional<arch::Scaling> found = arch::find_scaling(question.base, budget, rule, question.cost->count);
    if (!found) return {};
    return row_of(question, rule, budget, *std::move(found));
  }
  try {
    model::TimedScaling timed = model::scale_to_latency(question.base, budget, rule, question.threads,
                                                        [&out](std::string_view text) { out.note(text); });
    Row row = row_of(question, rule, budget, std::move(timed.scaling));
    row.timing = std::move(timed.timing);
    return row;
  } catch (const Error& error) {
    if (!question.several || error.code() != ErrorCode::usage) throw;
    return {};
  }
}

// Whether the budget is above all networks of the rule: the rows of such budgets would all be one network.
bool beyond_largest(const Row& row, const graph::CountedCost& cost) {
  return row.scaling.at_limit && cost.count(row.scaling.spec) < (1 - arch::kTargetTolerance) * row.budget;
}

// Leaves out the rows whose network costs more than another one and has no more MACs. Returns their number. There are
// such rows because depth, width and resolution are rounded: a larger budget of memory may give a wider network at a
// smaller resolution.
std::int64_t drop_dominated(std::vector<Row>& rows, std::string_view cost) {
  std::vector<search::Tradeoff> tradeoffs;
  tradeoffs.reserve(rows.size());
  for (const Row& row : rows)
    tradeoffs.push_back({.quality = static_cast<double>(row.costs.macs), .cost = spent(row, cost)});
  std::vector<std::size_t> front = search::pareto_front(tradeoffs);
  std::ranges::sort(front);  // in the order of the budgets
  std::vector<Row> kept;
  kept.reserve(front.size());
  for (const std::size_t i : front) kept.push_back(std::move(rows[i]));
  const std::ptrdiff_t dropped = std::ssize(rows) - std::ssize(kept);
  rows = std::move(kept);
  return dropped;
}

// Throws the error of effnet scale for the largest budget: it is out of the range of the rule, or the rule does not
// change the cost.
[[noreturn]] void throw_unreachable(const Question& question, const arch::RuleChoice& rule) {
  try {
    graph::scale_to_cost(question.base, question.budgets.back(), rule, *question.cost);
  } catch (const Error& error) {
    throw error.in("--to");
  }
  throw internal_error("a budget that cannot be reached has a network");
}

// The rows of one rule. With several rules a budget that one of them cannot use is left out; with one rule a budget
// above its largest network is an error, and so is a rule without any row.
std::vector<Row> find_rows(const Question& question, const arch::RuleChoice& rule, Output& out) {
  std::vector<Row> rows;
  if (question.several && question.cost != nullptr && !graph::changes_cost(question.base, rule, *question.cost)) {
    out.warn(fmt::format("left out the rule {}: it does not change this cost", rule.rule->name));
    return rows;
  }
  std::int64_t too_small = 0, too_large = 0;
  // The largest first: one that is too large is refused before the slow search for the next ones.
  for (auto next = question.budgets.rbegin(); next != question.budgets.rend(); ++next) {
    check_interrupt();
    std::optional<Row> row = find_row(question, rule, *next, out);
    if (!row) {
      ++too_small;
    } else if (question.cost == nullptr || !beyond_largest(*row, *question.cost)) {
      rows.push_back(*std::move(row));
    } else if (question.several) {
      ++too_large;
    } else {
      throw_unreachable(question, rule);
    }
  }
  std::ranges::reverse(rows);
  if (rows.empty() && !question.several) throw_unreachable(question, rule);
  const std::int64_t dominated = drop_dominated(rows, question.cost_name);
  const auto warn = [&](std::int64_t count, std::string_view why) {
    if (count > 0)
      out.warn(fmt::format("left out {} of {} budgets of the rule {}: {}", count, question.budgets.size(),
                           rule.rule->name, why));
  };
  warn(too_small, "its smallest network costs more");
  warn(too_large, "its largest network costs less");
  warn(dominated, "a cheaper network has at least as many MACs");
  return rows;
}

void measure_latencies(FrontierResult& result) {
  std::vector<arch::ArchSpec> specs;
  specs.reserve(result.rows.size());
  for (const Row& row : result.rows) specs.push_back(row.scaling.spec);
  std::vector<model::Timing> timings = model::time_networks(specs, result.threads, kSeconds, kRounds);
  for (std::size_t i = 0; i < timings.size(); ++i) result.rows[i].timing = std::move(timings[i]);
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
  declare_options(command, options.rule, true);
  command.add_flag("--latency", options.latency, "Measure the latency of each network, whatever the cost is");
  add_output(command, "-o,--out", options.out, "Draw the result to an SVG file; - means stdout")->type_name("FILE.svg");
}

std::string latency_warning(const std::vector<Row>& rows) {
  std::int64_t far = 0;
  double least = 1;
  for (const Row& row : rows) {
    const double reached = row.timing->median() / row.budget;
    if (reached < 1 - arch::kTargetTolerance) ++far;
    least = std::min(least, reached);
  }
  if (far == 0) return {};
  return fmt::format(
      "{} of {} {} more than {:g} % below the target (the furthest reaches {:.1f} % of it): a rule has no nearer "
      "network, or the machine was busy during the search",
      far, count_of(std::ssize(rows), "row"), far == 1 ? "is" : "are", 100 * arch::kTargetTolerance, 100 * least);
}

FrontierResult run_frontier(const FrontierOptions& options, const Globals& globals, Output& out) {
  const std::vector<arch::RuleChoice> rules = parse_rules(options.rule);
  const graph::CountedCost* cost = model::find_cost(options.cost);
  const bool to_stdout = is_stdout("-o", options.out, globals);
  check_extension("-o", options.out, ".svg");
  check_not_input("-o", options.out, options.base);
  const arch::ArchSpec base = formats::describe(formats::find_model(options.base, formats::Pulled::ignore)).arch;
  FrontierResult result{.base = base.name, .cost = options.cost, .threads = thread_count(globals), .out = options.out};
  result.rules.reserve(rules.size());
  for (const arch::RuleChoice& rule : rules) {
    arch::scaled_by(base, 0, rule);  // throws before a measurement if the network cannot be scaled
    result.rules.emplace_back(rule.rule->name);
  }
  const Question question{
      base, options.cost, cost, budgets(options, cost, base, result.threads), rules.size() > 1, result.threads};
  for (const arch::RuleChoice& rule : rules)
    std::ranges::move(find_rows(question, rule, out), std::back_inserter(result.rows));
  if (result.rows.empty()) {
    throw usage_error("no network is within the budgets (got --rule {} and {} to {}, expected other budgets or rules)",
                      options.rule.rule, graph::exact_cost_text(options.cost, question.budgets.front()),
                      graph::exact_cost_text(options.cost, question.budgets.back()));
  }
  if (options.cost == model::kLatencyCost) {
    if (const std::string warning = latency_warning(result.rows); !warning.empty()) out.warn(warning);
  } else if (options.latency) {
    measure_latencies(result);
  }
  result.svg = drawing(result);
  if (!options.out.empty() && !to_stdout) write_text(options.out, result.svg);
  return result;
}

}  // namespace effnet::cli
