// Confidence intervals of measured proportions, such as an accuracy. For two models see paired.h.
#pragma once

#include <cstdint>

namespace effnet::metrics {

struct Interval {  // of a proportion (0..1) or of a difference of two proportions (-1..1)
  double low = 0;
  double high = 1;
};

// The two-sided 95 % interval of Wilson (1927) for the true proportion if `right` of `total` images are right and the
// images were drawn independently. Unlike the interval p +- 1.96 sqrt(p (1 - p) / n), it stays within 0..1, and its
// width is not 0 if all images are right or all are wrong. For total = 0 the interval is 0..1. Requires 0 <= right <=
// total.
Interval wilson_95(std::int64_t right, std::int64_t total);

}  // namespace effnet::metrics
