// The page of `effnet search show --report`.
#include "effnet/report/search_page.h"

#include <algorithm>
#include <set>
#include <utility>

#include "effnet/base/text.h"
#include "effnet/cli/search_show.h"
#include "effnet/cli/search_text.h"
#include "effnet/cli/version.h"
#include "effnet/model/cost_by_name.h"

namespace effnet::cli {
namespace {

using search::NasRow;
using search::NasSearch;

// How the page shows a number: value * factor, with a name and a unit.
struct Scale {
  report::SearchNumber number;
  double factor = 1;
};

Scale quality_scale(const NasSearch& search) {
  if (search::evaluator_facts(search.evaluator.name).accuracy)
    return {{.name = search.evaluator.name == "toy" ? "quality" : "top-1", .unit = " %"}, 100};
  return {{.name = search.evaluator.score}, 1};
}

Scale cost_scale(const NasSearch& search) {
  struct Row {
    std::string_view cost;
    Scale scale;
  };
  const Row rows[] = {{"macs", {{.name = "MACs", .unit = "M"}, 1e-6}},
                      {"params", {{.name = "parameters", .unit = "M"}, 1e-6}},
                      {"memory", {{.name = "live activations", .unit = " MB"}, 1e-6}},
                      {model::kLatencyCost, {{.name = "predicted latency", .unit = " ms"}, 1}}};
  for (const Row& row : rows) {
    if (row.cost == search.objective.cost) return row.scale;
  }
  return {{.name = search.objective.cost}, 1};
}

// The trials of the largest budget, and those that failed, in their order.
std::vector<report::SearchTrial> history(const SearchReport& report, const Scale& quality, const Scale& cost) {
  const double budget = report.result.best.empty() ? 0 : report.result.best.front().budget;
  std::vector<report::SearchTrial> trials;
  trials.reserve(report.trials.size());
  for (const search::NasTrial& trial : report.trials) {
    if (trial.state == search::TrialState::failed) trials.push_back({.number = trial.id, .failed = true});
    if (trial.state != search::TrialState::done || trial.what.budget != budget) continue;
    trials.push_back({.number = trial.id,
                      .reward = trial.score,
                      .quality = quality.factor * trial.numbers.quality,
                      .cost = cost.factor * trial.numbers.cost});
  }
  return trials;
}

std::vector<std::pair<std::string, std::string>> facts(const SearchReport& report) {
  const NasSearch& search = report.search;
  const search::NasResult& result = report.result;
  std::vector<std::pair<std::string, std::string>> rows{
      {"study", report.study},
      {"space", space_text(search.space)},
      {"evaluator", search.evaluator.name},
      {"controller", search.points.empty() ? search.controller : "networks of another study"},
      {"reward", objective_text(search)},
      {"trials", fmt::format("{} done, {} failed, {} running, {} waiting", result.done, result.failed, result.running,
                             result.waiting)},
      {"state", result.complete ? "the search has ended" : "not finished"}};
  if (!budget_text(search, result).empty())
    rows.emplace_back("budgets", fmt::format("{:g} epochs", fmt::join(search.budgets, ", ")));
  return rows;
}

// Which networks the page shows; empty if all.
std::string shown_text(const NasSearch& search, const search::NasResult& result) {
  const std::string budget = budget_text(search, result);
  if (budget.empty()) return {};
  return fmt::format("Dots and lists have the {} {}. {} with fewer epochs {} not shown.",
                     count_of(std::ssize(result.best), "network"), budget, count_of(result.smaller, "network"),
                     result.smaller == 1 ? "is" : "are");
}

}  // namespace

std::string search_page(const SearchReport& report) {
  const NasSearch& search = report.search;
  const Scale quality = quality_scale(search), cost = cost_scale(search);
  report::SearchPage page{.title = fmt::format("Search in {}", search.space.name),
                          .about = {fmt::format("effnet {} search show {}", kVersion, path_in_shell(report.study))},
                          .facts = facts(report),
                          .quality = quality.number,
                          .cost = cost.number,
                          .scope = budget_text(search, report.result),
                          .history = history(report, quality, cost)};
  if (std::string shown = shown_text(search, report.result); !shown.empty()) page.about.push_back(std::move(shown));
  std::set<std::int64_t> front;  // numbers of trials
  for (const NasRow& row : report.result.pareto) {
    page.front.push_back({quality.factor * row.quality, cost.factor * row.cost});
    front.insert(row.trial);
  }
  for (const RankedChoice& one : report.importance) {
    const search::Choice& choice = search.space.choices[one.choice];
    page.importance.push_back({.choice = fmt::format("stage {}: {}", choice.stage + 1, choice.field),
                               .fraction = one.importance.explained,
                               .best_option = choice.options[one.importance.best]});
  }
  const std::size_t listed = std::min(report::kMaxSearchNetworks, report.result.best.size());
  for (std::size_t i = 0; i < listed; ++i) {
    const NasRow& row = report.result.best[i];
    page.best.push_back({.name = fmt::format("trial {}", row.trial),
                         .spec = search::network_of(search.space, row.point),
                         .reward = row.reward,
                         .quality = quality.factor * row.quality,
                         .cost = cost.factor * row.cost,
                         .options = search::to_text(search.space, row.point),
                         .front = front.contains(row.trial)});
  }
  if (const auto& against = report.against; against && against->spearman && against->kendall) {
    page.correlations.push_back({.with = fmt::format("{} ({})", against->study, against->evaluator),
                                 .kendall = against->kendall->value,
                                 .spearman = against->spearman->value,
                                 .networks = against->networks});
  }
  return report::search_page(page);
}

}  // namespace effnet::cli
