// Probabilities and rankings from logits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::engine {

// exp(x_i - max) / sum, in double; the sum of the result is 1 within n * 2^-53. If a logit is NaN or the maximum is
// infinite, every result is NaN. Returns an empty vector for empty logits.
EFFNET_API std::vector<double> softmax(std::span<const float> logits);

struct Ranked {
  std::size_t index = 0;
  float score = 0;
  friend bool operator==(const Ranked&, const Ranked&) = default;
};
// The min(k, n) largest scores in descending order. Equal scores are ordered by index, lower first. NaN comes last.
EFFNET_API std::vector<Ranked> top_k(std::span<const float> scores, std::size_t k);

}  // namespace effnet::engine
