#include "effnet/search/control/adam.h"

#include <gtest/gtest.h>

#include <cmath>

namespace effnet::search {
namespace {

// The first step: both corrected averages are the gradient and its square, so the step is lr * sign (up to 1e-8).
// The second step, with gradient 0: the averages are 0.9 * 0.1 g = 0.09 g and 0.999 * 0.001 g^2 = 0.000999 g^2, divided
// by 1 - 0.9^2 = 0.19 and 1 - 0.999^2 = 0.001999.
TEST(Adam, TwoStepsByHand) {
  Adam adam(2);
  std::vector<double> weights{1, -1};
  adam.step(std::vector<double>{3, -0.5}, 0.1, weights);
  EXPECT_NEAR(weights[0], 1 - 0.1, 1e-8);
  EXPECT_NEAR(weights[1], -1 + 0.1, 1e-8);
  adam.step(std::vector<double>{0, 0}, 0.1, weights);
  const double second = 0.1 * (0.09 / 0.19) / std::sqrt(0.000999 / 0.001999);
  EXPECT_NEAR(weights[0], 1 - 0.1 - second, 1e-8);
  EXPECT_NEAR(weights[1], -1 + 0.1 + second, 1e-8);
  EXPECT_EQ(adam.steps, 2);
}

TEST(Adam, FindsTheMinimum) {  // of (x - 3)^2 + 100 (y + 2)^2
  Adam adam(2);
  std::vector<double> at{0, 0};
  for (int i = 0; i < 2000; ++i) adam.step(std::vector<double>{2 * (at[0] - 3), 200 * (at[1] + 2)}, 0.02, at);
  EXPECT_NEAR(at[0], 3, 1e-3);
  EXPECT_NEAR(at[1], -2, 1e-3);
}

}  // namespace
}  // namespace effnet::search
