#include "effnet/search/control/ppo.h"

#include <gtest/gtest.h>

#include <cmath>

namespace effnet::search {
namespace {

// One choice of two options, which was drawn with probability 0.5.
PpoLoss loss_of(double probability, double advantage, double entropy_weight = 0) {
  const std::vector<Point> points{{0}};
  const std::vector<double> advantages{advantage};
  const Probabilities old{{0.5, 0.5}};
  return ppo_loss({points, advantages, old}, {{probability, 1 - probability}}, entropy_weight);
}

// ratio * advantage inside of 0.8 to 1.2; the smaller one of it and the clipped product outside.
TEST(Ppo, ValueAndClipping) {
  EXPECT_NEAR(loss_of(0.55, 2).value, -1.1 * 2, 1e-12);
  EXPECT_NEAR(loss_of(0.75, 2).value, -1.2 * 2, 1e-12);  // clipped
  EXPECT_NEAR(loss_of(0.25, 2).value, -0.5 * 2, 1e-12);  // not clipped: it can still become better
  EXPECT_NEAR(loss_of(0.25, -2).value, 0.8 * 2, 1e-12);  // clipped
  EXPECT_NEAR(loss_of(0.75, -2).value, 1.5 * 2, 1e-12);  // not clipped
}

// The derivative of r A = p A / 0.5 by the logit of the chosen option is r A (1 - p).
TEST(Ppo, Gradient) {
  const PpoLoss free = loss_of(0.55, 2);
  EXPECT_NEAR(free.logit_gradients[0][0], -1.1 * 2 * 0.45, 1e-12);
  EXPECT_NEAR(free.logit_gradients[0][1], 1.1 * 2 * 0.45, 1e-12);
  EXPECT_EQ(loss_of(0.75, 2).logit_gradients[0][0], 0);
  EXPECT_EQ(loss_of(0.25, -2).logit_gradients[0][0], 0);
  EXPECT_NE(loss_of(0.25, 2).logit_gradients[0][0], 0);
}

// Two equal options have the entropy ln 2, which is the largest: gradient 0. A probability of 0 has the entropy 0.
TEST(Ppo, Entropy) {
  EXPECT_NEAR(loss_of(0.5, 0, 3).value, -3 * std::log(2.0), 1e-12);
  EXPECT_NEAR(loss_of(0.5, 0, 3).logit_gradients[0][0], 0, 1e-12);
  EXPECT_GT(loss_of(0.6, 0, 3).logit_gradients[0][0], 0);  // the loss falls towards 0.5
  EXPECT_EQ(loss_of(1, 0, 3).value, 0);
}

TEST(Ppo, MeanOverPointsSumOverChoices) {
  const std::vector<Point> points{{0, 1}, {1, 0}};
  const std::vector<double> advantages{1, 3};
  const Probabilities same{{0.5, 0.5, 0.5, 0.5}, {0.25, 0.75, 0.25, 0.75}};
  EXPECT_NEAR(ppo_loss({points, advantages, same}, same, 0).value, -(2 * 1 + 2 * 3) / 2.0, 1e-12);
}

}  // namespace
}  // namespace effnet::search
