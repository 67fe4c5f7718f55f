#include "effnet/engine/classify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace effnet::engine {

std::vector<double> softmax(std::span<const float> logits, double temperature) {
  std::vector<double> result(logits.begin(), logits.end());
  if (result.empty()) return result;
  const double most = *std::max_element(result.begin(), result.end());
  for (double& value : result) value = std::exp((value - most) / temperature);
  const double sum = std::accumulate(result.begin(), result.end(), 0.0);
  if (!std::isfinite(sum)) {
    std::fill(result.begin(), result.end(), std::numeric_limits<double>::quiet_NaN());
    return result;
  }
  for (double& value : result) value /= sum;
  return result;
}

std::vector<Ranked> top_k(std::span<const float> scores, std::size_t k) {
  std::vector<Ranked> all(scores.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {i, scores[i]};
  k = std::min(k, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), all.end(),
                    [](const Ranked& a, const Ranked& b) {
                      if (std::isnan(a.score) != std::isnan(b.score)) return std::isnan(b.score);
                      if (a.score != b.score && !std::isnan(a.score)) return a.score > b.score;
                      return a.index < b.index;
                    });
  all.resize(k);
  return all;
}

}  // namespace effnet::engine
