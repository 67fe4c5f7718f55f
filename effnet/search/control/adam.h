// Adam (Kingma & Ba, ICLR 2015, algorithm 1) with the paper's constants: 0.9, 0.999 and 1e-8.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace effnet::search {

struct Adam {
  std::vector<double> mean, square;  // moving averages of the gradient and of its square, not yet corrected
  std::int64_t steps = 0;

  explicit Adam(std::size_t weights) : mean(weights), square(weights) {}
  // One step against `gradient`. Requires as many weights as in the constructor.
  void step(std::span<const double> gradient, double learning_rate, std::span<double> weights);
};

}  // namespace effnet::search
