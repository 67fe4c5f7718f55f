// From logits to answers.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::engine {

// exp(x_i - max) / sum, in double. Sums to 1 within n * 2^-53. NaN anywhere, or a maximum that is infinite, gives NaN
// everywhere. Empty for empty logits.
EFFNET_API std::vector<double> softmax(std::span<const float> logits);

struct Ranked {
  std::size_t index = 0;
  float score = 0;
  friend bool operator==(const Ranked&, const Ranked&) = default;
};
// The min(k, n) largest scores, best first; equal scores by index, lower first; NaN last.
EFFNET_API std::vector<Ranked> top_k(std::span<const float> scores, std::size_t k);

}  // namespace effnet::engine
