#include "effnet/search/nas/nas_search.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "effnet/base/names.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/search/control/pareto.h"
#include "effnet/search/json_field.h"
#include "effnet/search/space/extreme_point.h"

namespace effnet::search {
namespace {

using graph::kLatencyCost;

constexpr std::int64_t kMostInGeneration = 100'000;
constexpr std::size_t kMostBudgets = 20;

Json control_json(const ControllerOptions& o) {
  return {{"seed", o.seed},
          {"population", o.population},
          {"tournament", o.tournament},
          {"crossover", o.crossover},
          {"hidden", o.hidden},
          {"learning_rate", o.learning_rate},
          {"entropy_weight", o.entropy_weight},
          {"baseline_decay", o.baseline_decay}};
}

ControllerOptions parse_control(const Json& json) {
  return {.seed = field<std::uint64_t>(json, "seed"),
          .population = field<std::int64_t>(json, "population"),
          .tournament = field<std::int64_t>(json, "tournament"),
          .crossover = field<double>(json, "crossover"),
          .hidden = field<std::int64_t>(json, "hidden"),
          .learning_rate = field<double>(json, "learning_rate"),
          .entropy_weight = field<double>(json, "entropy_weight"),
          .baseline_decay = field<double>(json, "baseline_decay")};
}

Json objective_json(const Objective& o) {
  return {{"form", name_in(kObjectiveForms, o.form)}, {"cost", o.cost}, {"target", o.target}, {"weight", o.weight}};
}

Objective parse_objective(const Json& json) {
  return {.form = named_in(kObjectiveForms, field<std::string>(json, "form"), "objective"),
          .cost = field<std::string>(json, "cost"),
          .target = field<double>(json, "target"),
          .weight = field<double>(json, "weight")};
}

Json evaluator_json(const EvaluatorSettings& e) {
  Json json{{"name", e.name}, {"recipe", e.recipe}, {"score", e.score}, {"supernet", e.supernet}, {"seed", e.seed}};
  if (!e.supernet_digest.empty()) json["supernet_digest"] = e.supernet_digest;
  return json;
}

EvaluatorSettings parse_evaluator(const Json& json) {
  return {.name = field<std::string>(json, "name"),
          .recipe = field<std::string>(json, "recipe"),
          .score = field<std::string>(json, "score"),
          .supernet = field<std::string>(json, "supernet"),
          .supernet_digest = optional_field<std::string>(json, "supernet_digest").value_or(""),
          .seed = field<std::uint64_t>(json, "seed")};
}

// The checks that need no network: also of settings that are read from a study.
void check_numbers(const NasSearch& search) {
  check(search.objective);
  check(search.control);
  const bool latency = search.objective.cost == kLatencyCost;
  if (!latency && graph::find_counted_cost(search.objective.cost) == nullptr)
    throw unknown_name(ErrorCode::usage, "unknown cost", search.objective.cost, graph::cost_names());
  if (latency && !search.latency)
    throw usage_error("the cost latency needs a table (got none, expected one of the space's parts)")
        .with_hint("effnet search latency SPACE -o TABLE.json measures one");
  static_cast<void>(controller_kind(search.controller));
  const EvaluatorFacts& evaluator = evaluator_facts(search.evaluator.name);
  if (!evaluator.accuracy && search.objective.form != ObjectiveForm::limit) {
    throw usage_error(
        "--objective: the quality of {} is no accuracy, so it cannot be multiplied by a cost (got {}, expected limit)",
        evaluator.name, name_in(kObjectiveForms, search.objective.form));
  }
  if (search.trials < 1) throw usage_error("--trials: out of range (got {}, expected at least 1)", search.trials);
  if (search.generation_size < 1 || search.generation_size > kMostInGeneration)
    throw usage_error("--generation: out of range (got {}, expected 1 to {})", search.generation_size,
                      kMostInGeneration);
  if (search.budgets.size() > kMostBudgets)
    throw usage_error("--budgets: too many rounds (got {}, expected at most {})", search.budgets.size(), kMostBudgets);
  if (search.budgets.empty() || !(search.budgets.front() > 0) ||
      std::ranges::adjacent_find(search.budgets, std::greater_equal<>()) != search.budgets.end())
    throw usage_error("--budgets: each round needs more than the one before (got {}, expected ascending numbers)",
                      in_quotes(fmt::format("{}", fmt::join(search.budgets, ","))));
  if (!(search.keep > 0 && search.keep <= 1))
    throw usage_error("--keep: out of range (got {}, expected above 0 and at most 1)", search.keep);
}

// Throws if the text of a network can be longer than a study stores: the text of the longest option of each choice.
void check_text_length(const Space& space) {
  Point longest;
  longest.reserve(space.choices.size());
  for (const Choice& choice : space.choices) {
    const auto option = std::ranges::max_element(choice.options, {}, [](const std::string& one) { return one.size(); });
    longest.push_back(static_cast<int>(option - choice.options.begin()));
  }
  if (const std::size_t bytes = to_text(space, longest).size(); bytes > kLongestCandidate) {
    throw input_error("the text of a network of the space {} is too long (got {} bytes, expected at most {})",
                      space.name, bytes, kLongestCandidate)
        .with_hint("give the space fewer choices: one option, or an empty list, is no choice");
  }
}

}  // namespace

std::string settings_text(const NasSearch& search) {
  Json points = Json::array();
  for (const Point& point : search.points) points.push_back(to_text(search.space, point));
  return settings_json(Json{{"space", print(search.space)},
                            {"objective", objective_json(search.objective)},
                            {"latency", search.latency ? Json(to_text(*search.latency)) : Json()},
                            {"controller", search.controller},
                            {"control", control_json(search.control)},
                            {"evaluator", evaluator_json(search.evaluator)},
                            {"budgets", search.budgets},
                            {"keep", search.keep},
                            {"trials", search.trials},
                            {"generation_size", search.generation_size},
                            {"points", std::move(points)}});
}

NasSearch parse_nas_search(std::string_view text, std::string_view source) {
  try {
    const Json json = parse_object(text, "settings");
    NasSearch search{.space = parse_space(field<std::string>(json, "space"), "space"),
                     .objective = parse_objective(field<Json>(json, "objective")),
                     .latency = {},
                     .controller = field<std::string>(json, "controller"),
                     .control = parse_control(field<Json>(json, "control")),
                     .evaluator = parse_evaluator(field<Json>(json, "evaluator")),
                     .budgets = field<std::vector<double>>(json, "budgets"),
                     .keep = field<double>(json, "keep"),
                     .trials = field<std::int64_t>(json, "trials"),
                     .generation_size = field<std::int64_t>(json, "generation_size")};
    if (const Json table = field<Json>(json, "latency"); !table.is_null())
      search.latency = parse_latency_table(field<std::string>(json, "latency"), "latency");
    for (const std::string& one : field<std::vector<std::string>>(json, "points"))
      search.points.push_back(parse_point(search.space, one));
    check_numbers(search);
    return search;
  } catch (const Error& error) {
    throw Error(ErrorCode::input, fmt::format("{}: {}", source, error.what()), error.hint());
  }
}

void check(const NasSearch& search) {
  check_numbers(search);
  check_text_length(search.space);
  if (search.latency) {  // these networks have every part that a network of the space can have; predict_ms() throws
    for (const Point& point : covering_points(search.space, 0, 1))  // if the table lacks one
      predict_ms(*search.latency, network_of(search.space, point));
  }
  if (search.objective.form == ObjectiveForm::soft) return;
  for (const Point& point : search.points) {
    const double cost = cost_of(search, network_of(search.space, point));
    if (search.objective.form == ObjectiveForm::limit && cost > search.objective.target) {
      throw usage_error(
          "--points-of: a network of the other study is above the target (got {}, expected at most {}): {}",
          graph::exact_cost_text(search.objective.cost, cost),
          graph::exact_cost_text(search.objective.cost, search.objective.target), to_text(search.space, point));
    }
  }
  const Point cheapest =
      extreme_point(search.space, Extreme::cheapest, [&](const arch::ArchSpec& spec) { return cost_of(search, spec); });
  if (const double cost = cost_of(search, network_of(search.space, cheapest)); cost > search.objective.target) {
    throw input_error("no network of the space {} has at most {} (the cheapest one found has {}: {})",
                      search.space.name, graph::exact_cost_text(search.objective.cost, search.objective.target),
                      graph::exact_cost_text(search.objective.cost, cost), to_text(search.space, cheapest))
        .with_hint("raise --target, or give the space cheaper options");
  }
}

double cost_of(const NasSearch& search, const arch::ArchSpec& spec) {
  if (search.objective.cost == kLatencyCost) return predict_ms(*search.latency, spec);
  return graph::find_counted_cost(search.objective.cost)->count(spec);
}

Evaluate evaluate_with(const NasSearch& search, Evaluator& evaluator) {
  return [&search, &evaluator](const Trial& trial) -> Evaluation {
    const Point point = parse_point(search.space, trial.what.candidate);
    const arch::ArchSpec spec = network_of(search.space, point);
    const Quality quality = evaluator.evaluate(spec, point, trial);
    const double cost = cost_of(search, spec);
    Json details{{"quality", quality.value}, {"cost", cost}};
    details["evaluator"] = quality.details.empty() ? Json::object() : parse_object(quality.details, "details");
    return {reward(search.objective, quality.value, cost), details.dump()};
  };
}

TrialNumbers numbers_of(const Trial& trial) {
  try {
    const Json details = Json::parse(trial.details);
    return {.quality = details.at("quality").get<double>(), .cost = details.at("cost").get<double>()};
  } catch (const Json::exception&) {
    throw input_error("trial {}: wrong details (got {}, expected quality and cost)", trial.id,
                      in_quotes(trial.details));
  }
}

std::vector<NasTrial> read_trials(const Space& space, std::vector<Trial> trials) {
  std::vector<NasTrial> result;
  result.reserve(trials.size());
  for (Trial& trial : trials) {
    NasTrial& read = result.emplace_back(NasTrial{std::move(trial), {}});
    try {
      read.point = parse_point(space, read.what.candidate);
    } catch (const Error& error) {
      throw error.in(fmt::format("trial {}", read.id));
    }
    if (read.state == TrialState::done) read.numbers = numbers_of(read);
  }
  return result;
}

NasResult result_of(const NasSearch& search, const std::vector<NasTrial>& trials) {
  NasResult result;
  double budget = 0;  // the largest one of a trial that is done
  std::int64_t proposed = 0;
  for (const NasTrial& trial : trials) {
    ++(trial.state == TrialState::waiting   ? result.waiting
       : trial.state == TrialState::running ? result.running
       : trial.state == TrialState::done    ? result.done
                                            : result.failed);
    if (trial.twin_of != 0) ++result.twins;
    if (trial.what.budget == search.budgets.front()) ++proposed;
    if (trial.state == TrialState::done) budget = std::max(budget, trial.what.budget);
  }
  std::set<std::string_view> listed, smaller;
  for (const NasTrial& trial : trials) {
    if (trial.state != TrialState::done || trial.what.budget != budget || !listed.insert(trial.what.candidate).second)
      continue;
    result.best.push_back({.trial = trial.id,
                           .point = trial.point,
                           .budget = budget,
                           .reward = trial.score,
                           .quality = trial.numbers.quality,
                           .cost = trial.numbers.cost});
  }
  for (const NasTrial& trial : trials) {
    if (trial.state == TrialState::done && !listed.contains(trial.what.candidate)) smaller.insert(trial.what.candidate);
  }
  result.smaller = std::ssize(smaller);
  std::ranges::stable_sort(result.best, std::greater<>(), &NasRow::reward);
  std::vector<Tradeoff> tradeoffs;
  tradeoffs.reserve(result.best.size());
  for (const NasRow& row : result.best) tradeoffs.push_back({row.quality, row.cost});
  for (const std::size_t row : pareto_front(tradeoffs)) result.pareto.push_back(result.best[row]);
  if (trials.empty()) return result;
  // The last generation is the last round of the last networks, or an earlier round in which all of them failed.
  const std::int64_t expected = search.points.empty() ? search.trials : std::ssize(search.points);
  const bool last_round =
      trials.back().what.budget == search.budgets.back() || std::ranges::all_of(trials, [&](const Trial& trial) {
        return trial.generation != trials.back().generation || trial.state == TrialState::failed;
      });
  result.complete = result.waiting + result.running == 0 && proposed >= expected && last_round;
  return result;
}

}  // namespace effnet::search
