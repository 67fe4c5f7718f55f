// The percentile interval of bootstrap resamples (Efron & Tibshirani 1993).
#pragma once

#include <array>
#include <vector>

namespace effnet::search {

// The values at 2.5 % and 97.5 % of the sorted list, rounded down to a member. Requires at least one value.
std::array<double, 2> percentiles_95(std::vector<double> values);

}  // namespace effnet::search
