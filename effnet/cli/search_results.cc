// The results of a search as JSON and as text.
#include <algorithm>

#include "effnet/base/text.h"
#include "effnet/cli/search_show.h"
#include "effnet/cli/search_text.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/report/table.h"

namespace effnet::cli {
namespace {

using search::NasRow;
using search::NasSearch;
using search::TrialState;

constexpr std::size_t kShownChoices = 10;

Json row_json(const NasSearch& search, const NasRow& row) {
  const graph::Costs costs = graph::costs(graph::lower(search::network_of(search.space, row.point)));
  return {{"trial", row.trial},     {"candidate", search::to_text(search.space, row.point)},
          {"reward", row.reward},   {"quality", row.quality},
          {"cost", row.cost},       {"budget", row.budget},
          {"params", costs.params}, {"macs", costs.macs}};
}

Json trial_json(const search::NasTrial& trial) {
  const bool done = trial.state == TrialState::done, failed = trial.state == TrialState::failed;
  Json json{{"id", trial.id},
            {"state", name_in(search::kTrialStates, trial.state)},
            {"score", done ? Json(trial.score) : Json()},
            {"candidate", trial.what.candidate},
            {"generation", trial.generation},
            {"budget", trial.what.budget},
            {"seconds", done || failed ? Json(trial.ended_s - trial.started_s) : Json()},
            {"attempts", trial.attempts},
            {"twin_of", trial.twin_of == 0 ? Json() : Json(trial.twin_of)}};
  if (done) {
    json["quality"] = trial.numbers.quality;
    json["cost"] = trial.numbers.cost;
  }
  if (failed) json["error"] = trial.details;
  return json;
}

Json objective_json(const search::Objective& objective) {
  Json json{{"form", name_in(search::kObjectiveForms, objective.form)},
            {"cost", objective.cost},
            {"target", objective.target}};
  if (objective.form == search::ObjectiveForm::soft) json["weight"] = objective.weight;
  return json;
}

Json value_json(const std::optional<search::Correlation>& c) { return c ? Json(c->value) : Json(); }
Json interval_json(const std::optional<search::Correlation>& c) { return c ? Json{c->low, c->high} : Json(); }

Json comparison_json(const SearchComparison& against) {
  return {{"study", against.study},
          {"evaluator", against.evaluator},
          {"networks", against.networks},
          {"spearman", value_json(against.spearman)},
          {"spearman_interval", interval_json(against.spearman)},
          {"kendall", value_json(against.kendall)},
          {"kendall_interval", interval_json(against.kendall)}};
}

Json choice_json(const search::Space& space, const RankedChoice& ranked) {
  const search::Choice& choice = space.choices[ranked.choice];
  Json options = Json::array();
  for (std::size_t i = 0; i < choice.options.size(); ++i) {
    const search::OptionMean& mean = ranked.importance.options[i];
    options.push_back({{"option", choice.options[i]},
                       {"networks", mean.networks},
                       {"mean", mean.networks == 0 ? Json() : Json(mean.mean)}});
  }
  return {{"stage", choice.stage + 1},
          {"field", choice.field},
          {"explained", ranked.importance.explained},
          {"best", choice.options[ranked.importance.best]},
          {"options", std::move(options)}};
}

std::string choice_name(const search::Choice& choice) {
  return fmt::format("stage {} {}", choice.stage + 1, choice.field);
}

std::string rows_text(const SearchReport& report, const std::vector<NasRow>& rows) {
  const NasSearch& search = report.search;
  report::Table table({{"trial"}, {"reward"}, {"quality"}, {"cost"}, {"network", report::Align::left}});
  const std::size_t shown = std::min(report.top, rows.size());
  for (std::size_t i = 0; i < shown; ++i) {
    table.row({std::to_string(rows[i].trial), fmt::format("{:.4f}", rows[i].reward),
               quality_text(search, rows[i].quality), cost_text(search, rows[i].cost),
               search::to_text(search.space, rows[i].point)});
  }
  std::string text = table.text();
  if (rows.size() > shown)
    text += fmt::format("... {} more (--top shows more, --json lists all)\n", rows.size() - shown);
  return text;
}

// The head of the best networks. With several budgets, which networks are compared: results of different budgets cannot
// be.
std::string lists_text(const NasSearch& search, const search::NasResult& result) {
  const std::string budget = budget_text(search, result);
  if (budget.empty()) return "best networks\n";
  std::string text = fmt::format("best of the {} {}", count_of(std::ssize(result.best), "network"), budget);
  if (result.smaller > 0)
    text += fmt::format("; not listed: {} with fewer epochs", count_of(result.smaller, "network"));
  return text + "\n";
}

std::string one_network_text(const NasSearch& search, const search::NasResult& result) {
  const std::string budget = budget_text(search, result);
  return budget.empty() ? std::string("network") : "network " + budget;
}

std::string importance_text(const SearchReport& report) {
  if (report.networks < kFewestForImportance) {
    return fmt::format("importance of the choices: too few networks (got {}, expected at least {})\n", report.networks,
                       kFewestForImportance);
  }
  const search::Space& space = report.search.space;
  report::Table table(
      {{"choice", report::Align::left}, {"explains"}, {"best option", report::Align::left}, {"its mean quality"}});
  for (std::size_t i = 0; i < std::min(kShownChoices, report.importance.size()); ++i) {
    const RankedChoice& ranked = report.importance[i];
    const search::Choice& choice = space.choices[ranked.choice];
    const std::size_t best = ranked.importance.best;
    table.row({choice_name(choice), fmt::format("{:.1f} %", 100 * ranked.importance.explained), choice.options[best],
               quality_text(report.search, ranked.importance.options[best].mean)});
  }
  std::string text = "importance: how much of the variance of quality each choice explains alone\n" + table.text();
  if (report.importance.size() > kShownChoices)
    text += fmt::format("... {} more (--json lists all)\n", report.importance.size() - kShownChoices);
  return text;
}

std::string correlation_text(std::string_view name, const std::optional<search::Correlation>& correlation) {
  if (!correlation) return fmt::format("{}: not defined, because all qualities of a study are equal\n", name);
  return fmt::format("{}: {:.3f}, 95 % interval {:.3f} to {:.3f}\n", name, correlation->value, correlation->low,
                     correlation->high);
}

std::string against_text(const SearchComparison& against) {
  return fmt::format("rank correlation with {} ({}), {}\n", against.study, against.evaluator,
                     count_of(against.networks, "network")) +
         correlation_text("Spearman's rho", against.spearman) + correlation_text("Kendall's tau-b", against.kendall);
}

}  // namespace

Json to_json(const SearchReport& report) {
  const NasSearch& search = report.search;
  const search::NasResult& result = report.result;
  Json trials = Json::array(), pareto = Json::array(), importance = Json::array();
  for (const search::NasTrial& trial : report.trials) trials.push_back(trial_json(trial));
  for (const NasRow& row : result.pareto) pareto.push_back(row_json(search, row));
  for (const RankedChoice& one : report.importance) importance.push_back(choice_json(search.space, one));
  Json json{{"study", report.study},
            {"space", search.space.name},
            {"evaluator", search.evaluator.name},
            {"controller", search.points.empty() ? Json(search.controller) : Json()},
            {"objective", objective_json(search.objective)},
            {"budgets", search.budgets},
            {"counts",
             {{"waiting", result.waiting},
              {"running", result.running},
              {"done", result.done},
              {"failed", result.failed},
              {"twins", result.twins}}},
            {"complete", result.complete},
            {"trials", std::move(trials)},
            {"best", result.best.empty() ? Json() : row_json(search, result.best.front())},
            {"pareto", std::move(pareto)},
            {"importance", std::move(importance)}};
  if (report.optimum) {
    json["optimum"] = {{"candidate", search::to_text(search.space, report.optimum->point)},
                       {"quality", report.optimum->quality},
                       {"cost", report.optimum->cost}};
  }
  if (report.against) json["correlation"] = comparison_json(*report.against);
  if (!report.page.empty()) json["path"] = report.page;
  return json;
}

std::string to_text(const SearchReport& report) {
  const NasSearch& search = report.search;
  const search::NasResult& result = report.result;
  std::string text = fmt::format(
      "{}: space {}, evaluator {}, {}\nreward: {}\n", report.study, space_text(search.space), search.evaluator.name,
      search.points.empty() ? "controller " + search.controller : std::string("networks of another study"),
      objective_text(search));
  if (report.trials.empty()) {  // the first worker plans them
    text += "trials: none yet; the first worker proposes them\n";
  } else {
    text += fmt::format(
        "trials: {} done ({} of them known from the same network), {} failed, {} running, {} waiting{}\n", result.done,
        result.twins, result.failed, result.running, result.waiting, result.complete ? "; the search has ended" : "");
  }
  if (report.all_networks > 0) {
    text += fmt::format("networks of the space: {} of {} evaluated{}\n", report.networks, report.all_networks,
                        report.networks == report.all_networks ? "; more trials find no other" : "");
  }
  if (!result.complete)
    text += fmt::format("not complete; to continue: effnet search run {}\n", path_in_shell(report.study));
  if (result.best.empty()) return text;
  text += "\n" + lists_text(search, result) + rows_text(report, result.best);
  if (report.optimum) {
    text += fmt::format("highest quality in the space, known for toy: {}, {}: {}\n",
                        quality_text(search, report.optimum->quality), cost_text(search, report.optimum->cost),
                        search::to_text(search.space, report.optimum->point));
  }
  text += fmt::format("\nPareto front: no other {} is better and has a lower cost\n{}",
                      one_network_text(search, result), rows_text(report, result.pareto));
  text += "\n" + importance_text(report);
  if (report.against) text += "\n" + against_text(*report.against);
  text += report.page.empty()
              ? fmt::format("\ntry: effnet search export {} -o best.toml\n", path_in_shell(report.study))
              : fmt::format("\nwritten to {}\n", report.page);
  return text;
}

}  // namespace effnet::cli
