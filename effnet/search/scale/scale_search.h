// The search for scaling coefficients (Tan & Le 2019, section 4, step 1) as a study: which alpha, beta, gamma scale a
// base network best to a given factor of its cost.
//
// The candidates are fixed when the study is made, because a cost that is measured (latency) differs from machine to
// machine. Each candidate is trained with several seeds; successive halving gives the better ones more epochs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/search/scale/halving.h"
#include "effnet/search/scale/response_surface.h"
#include "effnet/search/scale/scale_grid.h"

namespace effnet::search {

inline constexpr std::string_view kScaleStudy = "scale";  // the kind of the study

struct ScaleCandidate {
  arch::Coefficients coefficients;
  double factor = 1;  // cost of its network / cost of the base
};

struct ScaleSearch {
  arch::ArchSpec base;
  std::string cost;  // what the factor is of: "macs", "params", "memory" or "latency"
  // What the candidates were chosen for. Studies of earlier versions have no step and no tolerance.
  double factor = 2;
  std::optional<double> step = {}, tolerance = {};  // as in GridOptions
  std::vector<ScaleCandidate> candidates;
  std::vector<std::uint64_t> seeds;
  std::vector<double> epochs;  // of the rounds, ascending
  double keep = 1.0 / 3;       // fraction of the candidates that goes to the next round
  std::string recipe;          // of the evaluations: TOML
};

// The settings of a study as JSON, and back. Throws Error(input) with `source` and the field for a wrong text.
std::string settings_text(const ScaleSearch& search);
ScaleSearch parse_scale_search(std::string_view text, std::string_view source);

Halving halving_of(const ScaleSearch& search);
arch::ArchSpec network_of(const ScaleSearch& search, std::string_view candidate);  // the base with phi = 1

// About how long `workers` processes need for the rest of the search, with the rounds that are not planned yet: the
// epochs that are left, at the mean time per epoch of the trials that are done. Empty before the first trial is done.
std::optional<double> seconds_left(const ScaleSearch& search, const std::vector<Trial>& trials, int workers);

struct ScaleRow {  // one candidate in the last round that it took part in
  ScaleCandidate candidate;
  std::int64_t round = 0;
  Scored scored;
};

struct ScaleSearchResult {
  std::vector<ScaleRow> rows;                                   // later rounds first, then by mean score
  std::int64_t waiting = 0, running = 0, done = 0, failed = 0;  // trials
  bool complete = false;                   // all rounds have ended, or all trials of one have failed
  std::vector<ScaleRow> pareto;            // of the last round: no other row is better and cheaper
  std::optional<arch::Coefficients> best;  // of rows.front(); empty before the first trial is done
  std::optional<ResponseSurface> surface;  // of the first round, in which all candidates are; empty if too few are done
};
// Throws Error(input) with `source` and the trial for a trial of an unknown candidate.
ScaleSearchResult result_of(const ScaleSearch& search, const std::vector<Trial>& trials, std::string_view source);

}  // namespace effnet::search
