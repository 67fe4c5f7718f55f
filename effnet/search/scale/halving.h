// Successive halving (Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter
// Optimization"): all candidates get a small budget; the best part of them gets a larger one, and so on.
//
// Each round is one generation of a study, so which candidates go on depends on finished rounds only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "effnet/search/study/worker.h"

namespace effnet::search {

struct Halving {
  std::vector<std::string> candidates;  // different texts
  std::vector<std::uint64_t> seeds;     // each candidate is evaluated with each seed
  std::vector<double> budgets;          // of the rounds, ascending
  double keep = 1.0 / 3;                // fraction of the candidates that goes to the next round; at least one goes
};

// How many of the candidates of a round go to the next one: the fraction `keep`, rounded up, and at least 1.
std::int64_t kept_after_round(double keep, std::int64_t candidates);

// About how long `workers` processes need for the rest of a search whose trials have `budget` in all, with those that
// are not planned yet: at the mean time per unit of budget of the trials that are done. Empty before the first one is.
std::optional<double> seconds_left(double budget, const std::vector<Trial>& trials, int workers);

// The mean score of a candidate in one round.
struct Scored {
  std::string candidate;
  double mean = 0;
  double deviation = 0;    // of the scores of its seeds, with the divisor n - 1; 0 for a single seed
  std::int64_t seeds = 0;  // that were evaluated; trials that failed are not counted
};

// The candidates of a round, the best mean first. Equal means are in the order of `halving.candidates`. A candidate
// with a failed trial comes after all others, because its network or its training does not work.
std::vector<Scored> scores_of_round(const Halving& halving, const std::vector<Trial>& trials, std::int64_t round);

// The trials of the next round; none after the last one. `last`: the trials of the round before, by id, all ended; none
// for the first round. Trials of earlier rounds may come before them. Throws Error(usage) if no candidate, seed or
// budget is given, or `keep` is not in (0, 1], and Error(input) if trials of the round before are missing.
std::vector<NewTrial> next_round(const Halving& halving, const std::vector<Trial>& last);

Plan plan_of(Halving halving);  // the rounds as generations of a study; needs no state

}  // namespace effnet::search
