#include "effnet/search/control/ppo.h"

#include <algorithm>
#include <cmath>

namespace effnet::search {
namespace {

constexpr double kClip = 0.2;

double entropy_of(std::span<const double> probabilities) {
  double sum = 0;
  for (const double p : probabilities) sum -= p > 0 ? p * std::log(p) : 0;  // p log p is 0 at p = 0
  return sum;
}

}  // namespace

PpoLoss ppo_loss(const PpoBatch& batch, const Probabilities& now, double entropy_weight) {
  const std::size_t samples = batch.points.size();
  const double weight = -1 / static_cast<double>(samples);
  PpoLoss loss;
  loss.logit_gradients.reserve(now.size());
  for (std::size_t choice = 0; choice < now.size(); ++choice) {
    const std::size_t options = now[choice].size() / samples;
    std::vector<double>& gradients = loss.logit_gradients.emplace_back(now[choice].size());
    for (std::size_t s = 0; s < samples; ++s) {
      const std::span<const double> p = std::span(now[choice]).subspan(s * options, options);
      const auto chosen = static_cast<std::size_t>(batch.points[s][choice]);
      const double advantage = batch.advantages[s];
      const double ratio = p[chosen] / batch.old[choice][s * options + chosen];
      const double clipped = std::clamp(ratio, 1 - kClip, 1 + kClip) * advantage;
      const double entropy = entropy_of(p);
      loss.value += weight * (std::min(ratio * advantage, clipped) + entropy_weight * entropy);
      // The clipped term is constant, so it has no gradient.
      const double from_ratio = ratio * advantage <= clipped ? ratio * advantage : 0;
      for (std::size_t o = 0; o < options; ++o) {
        const double chosen_here = o == chosen ? 1 : 0;
        const double from_entropy = p[o] > 0 ? -p[o] * (std::log(p[o]) + entropy) : 0;
        gradients[s * options + o] = weight * (from_ratio * (chosen_here - p[o]) + entropy_weight * from_entropy);
      }
    }
  }
  return loss;
}

}  // namespace effnet::search
