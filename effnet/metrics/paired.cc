#include "effnet/metrics/paired.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::metrics {
namespace {

double as_double(std::int64_t count) { return static_cast<double>(count); }

// ln of n! / (k! (n - k)!).
double log_choose(std::int64_t n, std::int64_t k) {
  return std::lgamma(as_double(n) + 1) - std::lgamma(as_double(k) + 1) - std::lgamma(as_double(n - k) + 1);
}

// The probabilities of a binomial distribution for the counts first, first + 1, ...
struct Binomial {
  std::int64_t first = 0;
  std::vector<double> probability;
};

// Leaves out counts further than 9 standard deviations + 20 from the mean. Bernstein's inequality bounds their
// probability by 2 exp(-30).
Binomial binomial(std::int64_t n, double p) {
  if (p <= 0 || n == 0) return {0, {1}};
  if (p >= 1) return {n, {1}};
  const double mean = as_double(n) * p;
  const double reach = 20 + 9 * std::sqrt(mean * (1 - p));
  Binomial result{std::max<std::int64_t>(0, std::llround(std::floor(mean - reach))), {}};
  const std::int64_t last = std::min(n, static_cast<std::int64_t>(std::llround(std::ceil(mean + reach))));
  for (std::int64_t k = result.first; k <= last; ++k)
    result.probability.push_back(
        std::exp(log_choose(n, k) + as_double(k) * std::log(p) + as_double(n - k) * std::log1p(-p)));
  return result;
}

}  // namespace

void PairedCounts::add(bool a_right, bool b_right) {
  ++(a_right ? b_right ? both : only_a : b_right ? only_b : neither);
}

double PairedCounts::difference() const { return images() == 0 ? 0 : as_double(only_b - only_a) / as_double(images()); }

double mcnemar_p(std::int64_t only_a, std::int64_t only_b) {
  EFFNET_CHECK(only_a >= 0 && only_b >= 0);
  const std::int64_t n = only_a + only_b;
  const std::int64_t smaller = std::min(only_a, only_b);
  if (2 * smaller == n) return 1;
  double tail = 0;
  for (std::int64_t k = smaller; k >= 0; --k) {
    const double term = std::exp(log_choose(n, k) - as_double(n) * std::log(2));
    tail += term;
    if (term < 1e-20 * tail) break;  // the terms decrease towards k = 0
  }
  return std::min(1.0, 2 * tail);
}

Interval bootstrap_95(const PairedCounts& counts) {
  EFFNET_CHECK(counts.only_a >= 0 && counts.only_b >= 0 && counts.both >= 0 && counts.neither >= 0);
  const std::int64_t n = counts.images();
  if (n == 0) return {-1, 1};
  const std::int64_t apart = counts.only_a + counts.only_b;
  if (apart == 0) return {0, 0};
  // The number of resampled images that tell the models apart, then the number of those that only b classifies
  // correctly.
  const Binomial drawn = binomial(n, as_double(apart) / as_double(n));
  const double share = as_double(counts.only_b) / as_double(apart);
  std::vector<double> sums(static_cast<std::size_t>(2 * n + 1));  // index: sum + n
  for (std::size_t i = 0; i < drawn.probability.size(); ++i) {
    const std::int64_t count = drawn.first + static_cast<std::int64_t>(i);
    const Binomial only_b = binomial(count, share);
    for (std::size_t j = 0; j < only_b.probability.size(); ++j) {
      const std::int64_t sum = 2 * (only_b.first + static_cast<std::int64_t>(j)) - count;
      sums[static_cast<std::size_t>(sum + n)] += drawn.probability[i] * only_b.probability[j];
    }
  }
  double total = 0;
  for (const double probability : sums) total += probability;
  const auto quantile = [&](double level) {
    double below = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      below += sums[i];
      // 1e-9: a cumulative probability that equals the level must not miss it by a rounding error.
      if (below >= (level - 1e-9) * total) return as_double(static_cast<std::int64_t>(i) - n) / as_double(n);
    }
    return 1.0;
  };
  return {quantile(0.025), quantile(0.975)};
}

}  // namespace effnet::metrics
