#include "effnet/search/control/rank_correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"
#include "effnet/search/control/percentiles.h"

namespace effnet::search {
namespace {

// Calls visit(first, end) for each run of equal neighbours.
template <class Values, class Visit>
void for_each_run(const Values& values, const Visit& visit) {
  for (std::size_t first = 0, end = 0; first < values.size(); first = end) {
    while (end < values.size() && values[end] == values[first]) ++end;
    visit(first, end);
  }
}

double pairs(std::size_t n) { return static_cast<double>(n) * (static_cast<double>(n) - 1) / 2; }

// Pairs of equal elements of a sorted list.
template <class Values>
double tied_pairs(const Values& sorted) {
  double sum = 0;
  for_each_run(sorted, [&](std::size_t first, std::size_t end) { sum += pairs(end - first); });
  return sum;
}

// Ranks from 1; equal values get the mean of their ranks.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<std::pair<double, std::size_t>> sorted;
  sorted.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) sorted.emplace_back(values[i], i);
  std::ranges::sort(sorted);
  std::vector<double> keys;
  keys.reserve(values.size());
  for (const auto& [value, i] : sorted) keys.push_back(value);
  std::vector<double> result(values.size());
  for_each_run(keys, [&](std::size_t first, std::size_t end) {
    for (std::size_t i = first; i < end; ++i) result[sorted[i].second] = static_cast<double>(first + 1 + end) / 2;
  });
  return result;
}

// Sorts the range by merging, and returns the number of pairs that were in falling order.
double sort_and_count(std::span<double> values, std::vector<double>& buffer) {
  if (values.size() < 2) return 0;
  const std::span<double> left = values.first(values.size() / 2), right = values.subspan(values.size() / 2);
  double falling = sort_and_count(left, buffer) + sort_and_count(right, buffer);
  buffer.clear();
  std::size_t i = 0;
  for (const double value : right) {
    for (; i < left.size() && left[i] <= value; ++i) buffer.push_back(left[i]);
    falling += static_cast<double>(left.size() - i);
    buffer.push_back(value);
  }
  buffer.insert(buffer.end(), left.begin() + static_cast<std::ptrdiff_t>(i), left.end());
  std::ranges::copy(buffer, values.begin());
  return falling;
}

}  // namespace

std::optional<double> spearman_rho(std::span<const double> a, std::span<const double> b) {
  EFFNET_CHECK(a.size() == b.size());
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double mean = (static_cast<double>(a.size()) + 1) / 2;  // of any list of ranks
  double xx = 0, yy = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
    xy += (x[i] - mean) * (y[i] - mean);
  }
  if (xx == 0 || yy == 0) return {};
  return xy / std::sqrt(xx * yy);
}

std::optional<double> kendall_tau_b(std::span<const double> a, std::span<const double> b) {
  EFFNET_CHECK(a.size() == b.size());
  std::vector<std::pair<double, double>> sorted;
  sorted.reserve(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) sorted.emplace_back(a[i], b[i]);
  std::ranges::sort(sorted);
  std::vector<double> x, y;
  x.reserve(a.size());
  y.reserve(a.size());
  for (const auto& [first, second] : sorted) {
    x.push_back(first);
    y.push_back(second);
  }
  // In the order of (a, b) a pair is discordant exactly if its values of b fall.
  std::vector<double> buffer;
  const double discordant = sort_and_count(y, buffer);  // sorts y
  const double all = pairs(a.size()), tied_x = tied_pairs(x), tied_y = tied_pairs(y), tied = tied_pairs(sorted);
  if (tied_x == all || tied_y == all) return {};
  const double concordant = all - tied_x - tied_y + tied - discordant;
  return (concordant - discordant) / std::sqrt((all - tied_x) * (all - tied_y));
}

std::optional<Correlation> correlation_95(RankStatistic statistic, std::span<const double> a, std::span<const double> b,
                                          std::uint64_t seed) {
  constexpr std::uint64_t kResamples = 1000;
  const std::optional<double> value = statistic(a, b);
  if (!value) return {};
  std::vector<double> x(a.size()), y(a.size()), found;
  found.reserve(kResamples);
  for (std::uint64_t resample = 0; resample < kResamples; ++resample) {
    Draws draws({seed, 0, resample}, "rank correlation");
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto drawn = static_cast<std::size_t>(draws.below(std::ssize(a)));
      x[i] = a[drawn];
      y[i] = b[drawn];
    }
    if (const std::optional<double> one = statistic(x, y)) found.push_back(*one);
  }
  if (found.empty()) return Correlation{*value, -1, 1};
  const auto [low, high] = percentiles_95(std::move(found));
  return Correlation{*value, low, high};
}

}  // namespace effnet::search
