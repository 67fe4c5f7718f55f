#include "effnet/search/scale/scale_search.h"

#include <algorithm>
#include <map>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/graph/arch_file.h"
#include "effnet/search/json_field.h"

namespace effnet::search {
namespace {

// The candidate with this text, with its factor.
const ScaleCandidate& candidate_named(const ScaleSearch& search, const std::string& text) {
  const auto found = std::ranges::find_if(
      search.candidates, [&](const ScaleCandidate& one) { return candidate_text(one.coefficients) == text; });
  if (found == search.candidates.end()) throw input_error("unknown candidate (got {})", in_quotes(text));
  return *found;
}

}  // namespace

std::string settings_text(const ScaleSearch& search) {
  Json candidates = Json::array();
  for (const ScaleCandidate& one : search.candidates)
    candidates.push_back({{"candidate", candidate_text(one.coefficients)}, {"factor", one.factor}});
  Json json{{"base", arch::print(search.base)},
            {"cost", search.cost},
            {"factor", search.factor},
            {"candidates", candidates},
            {"seeds", search.seeds},
            {"epochs", search.epochs},
            {"keep", search.keep},
            {"recipe", search.recipe}};
  if (search.step) json["step"] = *search.step;
  if (search.tolerance) json["tolerance"] = *search.tolerance;
  return settings_json(json);
}

ScaleSearch parse_scale_search(std::string_view text, std::string_view source) {
  try {
    const Json json = parse_object(text, "settings");
    ScaleSearch search{.base = graph::parse_arch(field<std::string>(json, "base"), "base"),
                       .cost = field<std::string>(json, "cost"),
                       .factor = field<double>(json, "factor"),
                       .step = optional_field<double>(json, "step"),
                       .tolerance = optional_field<double>(json, "tolerance"),
                       .candidates = {},
                       .seeds = field<std::vector<std::uint64_t>>(json, "seeds"),
                       .epochs = field<std::vector<double>>(json, "epochs"),
                       .keep = field<double>(json, "keep"),
                       .recipe = field<std::string>(json, "recipe")};
    if (!(search.factor > 1)) throw input_error("settings: factor: out of range (got {})", search.factor);
    for (const Json& one : field<std::vector<Json>>(json, "candidates"))
      search.candidates.push_back(
          {parse_candidate(field<std::string>(one, "candidate")), field<double>(one, "factor")});
    next_round(halving_of(search), {});  // throws for an empty or a wrong search
    return search;
  } catch (const Error& error) {
    throw Error(ErrorCode::input, fmt::format("{}: {}", source, error.what()), error.hint());
  }
}

Halving halving_of(const ScaleSearch& search) {
  Halving halving{.candidates = {}, .seeds = search.seeds, .budgets = search.epochs, .keep = search.keep};
  for (const ScaleCandidate& one : search.candidates) halving.candidates.push_back(candidate_text(one.coefficients));
  return halving;
}

arch::ArchSpec network_of(const ScaleSearch& search, std::string_view candidate) {
  return arch::scaled_by(search.base, 1, {.coefficients = parse_candidate(candidate)}).spec;
}

std::optional<double> seconds_left(const ScaleSearch& search, const std::vector<Trial>& trials, int workers) {
  double epochs_of_all = 0;
  std::int64_t candidates = std::ssize(search.candidates);
  for (const double epochs : search.epochs) {
    epochs_of_all += static_cast<double>(candidates * std::ssize(search.seeds)) * epochs;
    candidates = kept_after_round(search.keep, candidates);
  }
  return seconds_left(epochs_of_all, trials, workers);
}

ScaleSearchResult result_of(const ScaleSearch& search, const std::vector<Trial>& trials, std::string_view source) {
  ScaleSearchResult result;
  const Halving halving = halving_of(search);
  for (const Trial& trial : trials) {
    if (std::ranges::find(halving.candidates, trial.what.candidate) == halving.candidates.end()) {
      throw input_error("{}: trial {}: unknown candidate (got {}, expected one of the study's)", source, trial.id,
                        in_quotes(trial.what.candidate));
    }
    ++(trial.state == TrialState::waiting   ? result.waiting
       : trial.state == TrialState::running ? result.running
       : trial.state == TrialState::done    ? result.done
                                            : result.failed);
  }
  const std::int64_t rounds = trials.empty() ? 0 : trials.back().generation + 1;
  // A round in which every trial has failed is the last one: it leaves no candidates for the next round.
  const bool last_round = rounds == std::ssize(search.epochs) || std::ranges::all_of(trials, [&](const Trial& trial) {
                            return trial.generation != rounds - 1 || trial.state == TrialState::failed;
                          });
  result.complete = rounds > 0 && last_round && result.waiting + result.running == 0;
  std::map<std::string, bool> listed;
  for (std::int64_t round = rounds - 1; round >= 0; --round) {
    for (const Scored& scored : scores_of_round(halving, trials, round)) {
      if (scored.seeds == 0 || std::exchange(listed[scored.candidate], true)) continue;
      result.rows.push_back({candidate_named(search, scored.candidate), round, scored});
    }
  }
  for (const ScaleRow& row : result.rows) {  // from the best score to the worst
    if (row.round != result.rows.front().round) break;
    if (result.pareto.empty() || row.candidate.factor < result.pareto.back().candidate.factor)
      result.pareto.push_back(row);
  }
  if (!result.rows.empty()) result.best = result.rows.front().candidate.coefficients;
  std::vector<Observation> observations;
  for (const Trial& trial : trials) {
    if (trial.generation == 0 && trial.state == TrialState::done)
      observations.push_back({parse_candidate(trial.what.candidate), trial.score, trial.what.seed});
  }
  result.surface = fit_response_surface(observations, search.factor, 0);
  return result;
}

}  // namespace effnet::search
