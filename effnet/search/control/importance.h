// How much each choice of a space alone explains of the values of networks.
//
// It does not show interactions: two choices that matter only together both get a low number. It needs networks whose
// options are independent, such as those of a random search. In the results of a search that learns, good options occur
// together, so a choice can get the importance of another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "effnet/search/space/space.h"

namespace effnet::search {

struct ValuedPoint {
  Point point;
  double value = 0;  // finite; higher is better
};

struct OptionMean {
  std::int64_t networks = 0;
  double mean = 0;  // of their values; 0 without networks
};

struct ChoiceImportance {
  // The fraction of the variance between the options: epsilon squared (Kelley 1935), that is (B - (k - 1) W / (n - k))
  // / (B + W), at least 0, with the sums of squares B between and W within the groups of networks that have the same
  // option, k groups and n networks. B / (B + W) alone would grow with the number of options. 0 if n = k.
  double explained = 0;
  std::size_t best = 0;             // the option with the highest mean
  std::vector<OptionMean> options;  // of the choice, in their order
};

// One row for each choice of the space. Requires at least one point, and points of the space.
std::vector<ChoiceImportance> importance(const Space& space, std::span<const ValuedPoint> points);

}  // namespace effnet::search
