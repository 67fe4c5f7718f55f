// The plan of an architecture search. The state of the study is {"generation": of the controller, "controller": its
// state, "proposed": networks so far, "round", "points": of the controller's generation, "results": of each point its
// last result, "alive": the indices of the points that are in this round}.
#include <algorithm>
#include <numeric>
#include <set>

#include "effnet/search/json_field.h"
#include "effnet/search/nas/nas_search.h"
#include "effnet/search/scale/halving.h"

namespace effnet::search {
namespace {

struct PlanState {
  std::int64_t generation = -1;  // of the controller; -1: nothing was proposed yet
  std::string controller = {};
  std::int64_t proposed = 0;
  std::size_t round = 0;
  std::vector<Result> results = {};
  std::vector<std::size_t> alive = {};
};

std::string print(const Space& space, const PlanState& state) {
  Json results = Json::array();
  for (const Result& one : state.results)
    results.push_back({to_text(space, one.point), one.reward, one.quality, one.cost, one.failed});
  return Json{{"generation", state.generation}, {"controller", state.controller}, {"proposed", state.proposed},
              {"round", state.round},           {"results", std::move(results)},  {"alive", state.alive}}
      .dump();
}

constexpr std::string_view kState = "the study's state";

PlanState parse_state(const NasSearch& search, std::string_view text) {
  if (text.empty()) return {};
  const Json json = parse_object(text, kState);
  PlanState state{.generation = field<std::int64_t>(json, "generation", kState),
                  .controller = field<std::string>(json, "controller", kState),
                  .proposed = field<std::int64_t>(json, "proposed", kState),
                  .round = field<std::size_t>(json, "round", kState),
                  .results = {},
                  .alive = field<std::vector<std::size_t>>(json, "alive", kState)};
  try {
    for (const Json& one : json.at("results")) {
      state.results.push_back({.point = parse_point(search.space, one.at(0).get<std::string>()),
                               .reward = one.at(1),
                               .quality = one.at(2),
                               .cost = one.at(3),
                               .failed = one.at(4)});
    }
  } catch (const Json::exception&) {
    throw input_error("{}: wrong results", kState);
  } catch (const Error& error) {
    throw error.in(kState);
  }
  const bool known = std::ranges::all_of(state.alive, [&](std::size_t one) { return one < state.results.size(); });
  if (!known || state.round >= search.budgets.size()) throw input_error("{}: numbers out of range", kState);
  return state;
}

// Stores the results of the round that has ended. Its trials are compared with the state, because trials that were
// deleted by hand would give their results to other networks.
void store(const Space& space, PlanState& state, const std::vector<Trial>& last) {
  if (last.size() != state.alive.size())
    throw input_error("{}: another round (got {} trials, expected {})", kState, last.size(), state.alive.size());
  for (std::size_t i = 0; i < last.size(); ++i) {
    Result& result = state.results[state.alive[i]];
    if (const std::string expected = to_text(space, result.point); last[i].what.candidate != expected) {
      throw input_error("{}: another round (got trial {} of {}, expected {})", kState, last[i].id,
                        in_quotes(last[i].what.candidate), in_quotes(expected));
    }
    result.failed = last[i].state != TrialState::done;
    if (result.failed) continue;
    const TrialNumbers numbers = numbers_of(last[i]);
    result.reward = last[i].score;
    result.quality = numbers.quality;
    result.cost = numbers.cost;
  }
}

// The networks of the next round: the best part of those that did not fail, in the order of the controller. A network
// that the controller has proposed several times takes one place.
std::vector<std::size_t> promoted(const PlanState& state, double keep) {
  std::vector<std::size_t> alive;
  std::set<Point> known;
  std::int64_t done = 0;
  for (const std::size_t one : state.alive) {
    if (state.results[one].failed) continue;
    ++done;
    if (known.insert(state.results[one].point).second) alive.push_back(one);
  }
  const auto kept = static_cast<std::size_t>(kept_after_round(keep, done));
  std::ranges::stable_sort(alive, std::greater<>(), [&](std::size_t one) { return state.results[one].reward; });
  alive.resize(std::min(alive.size(), kept));
  std::ranges::sort(alive);
  return alive;
}

ControllerOptions control_of(const NasSearch& search) {
  ControllerOptions options = search.control;
  if (search.objective.form == ObjectiveForm::limit) {
    options.accepts = [search](const Point& point) {
      return cost_of(search, network_of(search.space, point)) <= search.objective.target;
    };
  }
  return options;
}

// Asks the controller for the next networks. Leaves `alive` empty if all have been proposed.
void propose(const NasSearch& search, PlanState& state) {
  std::vector<Point> points;
  if (!search.points.empty()) {
    if (state.generation < 0) points = search.points;
  } else if (const std::int64_t left = search.trials - state.proposed; left > 0) {
    const std::unique_ptr<Controller> controller =
        controller_kind(search.controller).make(search.space, control_of(search));
    Proposal proposal =
        controller->next(state.generation + 1, state.controller, state.results, std::min(left, search.generation_size));
    points = std::move(proposal.points);
    state.controller = std::move(proposal.state);
  }
  ++state.generation;
  state.round = 0;
  state.proposed += std::ssize(points);
  state.results.clear();
  state.results.reserve(points.size());
  for (Point& point : points) state.results.push_back({.point = std::move(point)});
  state.alive.resize(points.size());
  std::iota(state.alive.begin(), state.alive.end(), std::size_t{0});
}

}  // namespace

std::optional<double> seconds_left(const NasSearch& search, const std::vector<Trial>& trials, int workers) {
  const bool given = !search.points.empty();
  std::int64_t left = given ? std::ssize(search.points) : search.trials;
  const std::int64_t size = given ? left : search.generation_size;
  double budget_of_all = 0;
  while (left > 0) {
    std::int64_t networks = std::min(left, size);
    left -= networks;
    for (const double budget : search.budgets) {
      budget_of_all += static_cast<double>(networks) * budget;
      networks = kept_after_round(search.keep, networks);
    }
  }
  return seconds_left(budget_of_all, trials, workers);
}

Plan plan_of(const NasSearch& search) {
  return [search](std::int64_t number, std::string_view text, const std::vector<Trial>& last) {
    if (number > 0 && text.empty())
      throw input_error("the study has no state (expected the one that generation {} has left)", number - 1);
    PlanState state = parse_state(search, text);
    if (state.generation >= 0) store(search.space, state, last);
    std::vector<std::size_t> next;
    if (state.generation >= 0 && state.round + 1 < search.budgets.size()) next = promoted(state, search.keep);
    if (next.empty()) {
      propose(search, state);
    } else {
      state.alive = std::move(next);
      ++state.round;
    }
    NewGeneration generation;
    generation.trials.reserve(state.alive.size());
    for (const std::size_t one : state.alive) {
      generation.trials.push_back({.candidate = to_text(search.space, state.results[one].point),
                                   .seed = search.evaluator.seed,
                                   .budget = search.budgets[state.round]});
    }
    generation.state = print(search.space, state);
    return generation;
  };
}

}  // namespace effnet::search
