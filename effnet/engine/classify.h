// Probabilities and rankings from logits.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "effnet/base/export.h"

namespace effnet::engine {

// Returns the n probabilities exp((x_i - max) / temperature) / sum, in double; their sum differs from 1 by at most n *
// 2^-53. If a logit is NaN or the maximum is infinite, every result is NaN. Returns an empty vector for empty logits.
EFFNET_API std::vector<double> softmax(std::span<const float> logits, double temperature = 1);

struct Ranked {
  std::size_t index = 0;
  float score = 0;
  friend bool operator==(const Ranked&, const Ranked&) = default;
};
// Returns the min(k, n) largest of the n scores in descending order. Equal scores are in ascending order of their
// index. NaN comes last.
EFFNET_API std::vector<Ranked> top_k(std::span<const float> scores, std::size_t k);

}  // namespace effnet::engine
