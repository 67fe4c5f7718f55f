#include "effnet/search/control/adam.h"

#include <cmath>

namespace effnet::search {

void Adam::step(std::span<const double> gradient, double learning_rate, std::span<double> weights) {
  constexpr double kMeanDecay = 0.9, kSquareDecay = 0.999, kEpsilon = 1e-8;
  ++steps;
  const double mean_correction = 1 - std::pow(kMeanDecay, static_cast<double>(steps));
  const double square_correction = 1 - std::pow(kSquareDecay, static_cast<double>(steps));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    mean[i] = kMeanDecay * mean[i] + (1 - kMeanDecay) * gradient[i];
    square[i] = kSquareDecay * square[i] + (1 - kSquareDecay) * gradient[i] * gradient[i];
    weights[i] -= learning_rate * (mean[i] / mean_correction) / (std::sqrt(square[i] / square_correction) + kEpsilon);
  }
}

}  // namespace effnet::search
