// Rank correlation of two lists: does a cheap score order networks as an expensive one does? 1: the same order, -1: the
// opposite order, 0: no relation. Equal values (ties) are handled as in SciPy's spearmanr and kendalltau.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace effnet::search {

// All require lists of equal length with finite numbers. Empty if a list has less than two different values.

// Pearson's correlation of the ranks; tied values get the mean of their ranks.
std::optional<double> spearman_rho(std::span<const double> a, std::span<const double> b);

// (concordant - discordant pairs) / sqrt(pairs not tied in a * pairs not tied in b). Takes n log n steps (Knight 1966).
std::optional<double> kendall_tau_b(std::span<const double> a, std::span<const double> b);

struct Correlation {
  double value = 0;
  double low = 0, high = 0;  // two-sided 95 % interval
};
using RankStatistic = std::optional<double> (*)(std::span<const double> a, std::span<const double> b);

// A statistic with its percentile bootstrap interval (Efron & Tibshirani 1993) from 1,000 resamples of the pairs.
// Resamples without a result are left out. With less than about 20 pairs the interval is too narrow.
std::optional<Correlation> correlation_95(RankStatistic statistic, std::span<const double> a, std::span<const double> b,
                                          std::uint64_t seed);

}  // namespace effnet::search
