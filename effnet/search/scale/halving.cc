#include "effnet/search/scale/halving.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::search {

std::int64_t kept_after_round(double keep, std::int64_t candidates) {
  const auto count = static_cast<std::int64_t>(std::ceil(keep * static_cast<double>(candidates) - 1e-9));
  return std::max<std::int64_t>(1, count);
}

std::optional<double> seconds_left(double budget, const std::vector<Trial>& trials, int workers) {
  double seconds = 0, timed = 0;
  for (const Trial& trial : trials) {
    if (trial.state != TrialState::done && trial.state != TrialState::failed) continue;
    budget -= trial.what.budget;
    if (trial.state == TrialState::failed || trial.twin_of != 0) continue;  // it may have ended at once
    seconds += trial.ended_s - trial.started_s;
    timed += trial.what.budget;
  }
  if (timed <= 0) return {};
  return std::max(0.0, budget) * seconds / timed / workers;
}

std::vector<Scored> scores_of_round(const Halving& halving, const std::vector<Trial>& trials, std::int64_t round) {
  struct Sums {
    std::vector<double> scores;
    bool failed = false;
  };
  std::map<std::string, Sums> sums;
  for (const Trial& trial : trials) {
    if (trial.generation != round) continue;
    Sums& one = sums[trial.what.candidate];
    if (trial.state == TrialState::done) one.scores.push_back(trial.score);
    one.failed = one.failed || trial.state == TrialState::failed;
  }
  struct Candidate {
    Scored scored;
    bool failed = false;
  };
  std::vector<Candidate> rows;
  for (const std::string& candidate : halving.candidates) {
    const auto found = sums.find(candidate);
    if (found == sums.end()) continue;
    const std::vector<double>& scores = found->second.scores;
    Candidate row{{.candidate = candidate, .seeds = std::ssize(scores)}, found->second.failed};
    const auto n = static_cast<double>(scores.size());
    for (const double score : scores) row.scored.mean += score / n;
    double squares = 0;
    for (const double score : scores) squares += (score - row.scored.mean) * (score - row.scored.mean);
    if (scores.size() > 1) row.scored.deviation = std::sqrt(squares / (n - 1));
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, [](const Candidate& a, const Candidate& b) {
    return a.failed != b.failed ? b.failed : a.scored.mean > b.scored.mean;
  });
  std::vector<Scored> result;
  for (Candidate& row : rows) result.push_back(std::move(row.scored));
  return result;
}

namespace {

// Throws if the round does not have each of its candidates with each seed: trials of the study were deleted or changed
// by hand, and other candidates would go on. All candidates are in the first round.
void check_round(const Halving& halving, const std::vector<Trial>& trials, std::int64_t round, std::int64_t found) {
  const std::int64_t candidates = round == 0 ? std::ssize(halving.candidates) : found;
  const std::int64_t expected = candidates * std::ssize(halving.seeds);
  const std::int64_t count = std::ranges::count(trials, round, &Trial::generation);
  if (count == expected && candidates == found) return;
  throw input_error("round {}: other trials than planned (got {} trials of {} candidates, expected {} of {})",
                    round + 1, count, found, expected, candidates);
}

}  // namespace

std::vector<NewTrial> next_round(const Halving& halving, const std::vector<Trial>& last) {
  if (halving.candidates.empty() || halving.seeds.empty() || halving.budgets.empty())
    throw usage_error("nothing to search (got {} candidates, {} seeds and {} budgets, expected at least one of each)",
                      halving.candidates.size(), halving.seeds.size(), halving.budgets.size());
  if (!(halving.keep > 0 && halving.keep <= 1))
    throw usage_error("--keep: out of range (got {}, expected above 0 and at most 1)", halving.keep);
  const std::int64_t round = last.empty() ? 0 : last.back().generation + 1;
  if (round >= std::ssize(halving.budgets)) return {};
  std::vector<std::string> candidates = halving.candidates;
  if (round > 0) {
    const std::vector<Scored> scores = scores_of_round(halving, last, round - 1);
    check_round(halving, last, round - 1, std::ssize(scores));
    candidates.clear();
    for (const Scored& one : scores) {
      if (std::ssize(candidates) < kept_after_round(halving.keep, std::ssize(scores)) && one.seeds > 0)
        candidates.push_back(one.candidate);
    }
  }
  std::vector<NewTrial> trials;
  for (const std::string& candidate : candidates) {
    for (const std::uint64_t seed : halving.seeds)
      trials.push_back({candidate, seed, halving.budgets[static_cast<std::size_t>(round)]});
  }
  return trials;
}

Plan plan_of(Halving halving) {
  return [halving = std::move(halving)](std::int64_t, std::string_view, const std::vector<Trial>& last) {
    return NewGeneration{.trials = next_round(halving, last), .state = {}};
  };
}

}  // namespace effnet::search
