#include "effnet/metrics/intervals.h"

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"

namespace effnet::metrics {

Interval wilson_95(std::int64_t right, std::int64_t total) {
  EFFNET_CHECK(right >= 0 && right <= total);
  if (total == 0) return {};
  constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  const auto n = static_cast<double>(total);
  const double p = static_cast<double>(right) / n;
  const double scale = 1 / (1 + z * z / n);
  const double centre = scale * (p + z * z / (2 * n));
  const double half = scale * z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // If no image is right, the lower bound is exactly 0; if all are right, the upper bound is exactly 1. The formula
  // would give these bounds with a rounding error.
  return {right == 0 ? 0 : std::max(0.0, centre - half), right == total ? 1 : std::min(1.0, centre + half)};
}

}  // namespace effnet::metrics
