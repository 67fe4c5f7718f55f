// Pearson's chi-square statistic and its bound, for tests of random numbers.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace effnet::vision::testkit {

// `fractions` are the expected fractions of the counts.
inline double chi_square(const std::vector<std::int64_t>& counts, const std::vector<double>& fractions) {
  double total = 0, sum = 0;
  for (const std::int64_t count : counts) total += static_cast<double>(count);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = total * fractions[i];
    sum += (static_cast<double>(counts[i]) - expected) * (static_cast<double>(counts[i]) - expected) / expected;
  }
  return sum;
}

// The bound that the statistic exceeds with probability 3e-7 (five standard deviations), by the Wilson-Hilferty
// approximation.
inline double chi_square_bound(std::size_t bins) {
  const double variance = 2 / (9 * static_cast<double>(bins - 1));
  return static_cast<double>(bins - 1) * std::pow(1 - variance + 5 * std::sqrt(variance), 3);
}

}  // namespace effnet::vision::testkit
