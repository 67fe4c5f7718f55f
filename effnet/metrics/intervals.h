// How far a measured share may be from the true one.
#pragma once

#include <cstdint>

namespace effnet::metrics {

struct Interval {  // of a share, 0..1
  double low = 0;
  double high = 1;
};

// The two-sided 95 % interval of Wilson (1927) for a share of which `right` of `total` were seen: what the true share
// may be if the images were drawn independently. Unlike p +- 1.96 sqrt(p (1 - p) / n) it stays within 0..1 and is not
// empty at 0 or all right. Nothing seen (total 0): 0..1. Needs 0 <= right <= total.
Interval wilson_95(std::int64_t right, std::int64_t total);

}  // namespace effnet::metrics
