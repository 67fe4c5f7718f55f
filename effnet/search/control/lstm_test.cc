#include "effnet/search/control/lstm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "effnet/search/control/ppo.h"

namespace effnet::search {
namespace {

constexpr std::size_t kHidden = 5;
const std::vector<std::size_t> kOptions{3, 2, 4};

std::vector<double> random_weights(const LstmPolicy& policy, std::uint64_t seed, double largest) {
  Draws draws({seed}, "weights");
  std::vector<double> weights(policy.layout().size);
  for (double& weight : weights) weight = draws.uniform(-largest, largest);
  return weights;
}

double logistic(double x) { return 0.5 * (1 + std::tanh(x / 2)); }

// The probabilities of one point, from the equations of Hochreiter & Schmidhuber's cell with a forget gate, with loops
// over single elements.
Probabilities slow_forward(const LstmPolicy& policy, const std::vector<double>& w, const Point& point) {
  const LstmPolicy::Layout& at = policy.layout();
  std::vector<double> output(kHidden), cell(kHidden);
  Probabilities all;
  all.reserve(point.size());
  for (std::size_t choice = 0; choice < point.size(); ++choice) {
    const std::size_t input =
        choice == 0 ? at.start
                    : at.vectors[choice - 1] + static_cast<std::size_t>(point[choice - 1]) * LstmPolicy::kInput;
    const auto before_activation = [&](std::size_t gate, std::size_t unit) {
      const std::size_t column = gate * kHidden + unit;
      double sum = w[at.bias + column];
      for (std::size_t k = 0; k < LstmPolicy::kInput; ++k) sum += w[input + k] * w[at.input + k * 4 * kHidden + column];
      for (std::size_t k = 0; k < kHidden; ++k) sum += output[k] * w[at.recurrent + k * 4 * kHidden + column];
      return sum;
    };
    std::vector<double> next(kHidden);
    for (std::size_t unit = 0; unit < kHidden; ++unit) {
      cell[unit] = logistic(before_activation(1, unit)) * cell[unit] +
                   logistic(before_activation(0, unit)) * std::tanh(before_activation(2, unit));
      next[unit] = logistic(before_activation(3, unit)) * std::tanh(cell[unit]);
    }
    output = next;
    std::vector<double> exponentials;
    exponentials.reserve(kOptions[choice]);
    for (std::size_t option = 0; option < kOptions[choice]; ++option) {
      double logit = w[at.offset[choice] + option];
      for (std::size_t k = 0; k < kHidden; ++k)
        logit += output[k] * w[at.softmax[choice] + k * kOptions[choice] + option];
      exponentials.push_back(std::exp(logit));
    }
    const double sum = std::accumulate(exponentials.begin(), exponentials.end(), 0.0);
    for (double& one : exponentials) one /= sum;
    all.push_back(exponentials);
  }
  return all;
}

const std::vector<Point> kPoints{{0, 0, 0}, {2, 1, 3}, {1, 1, 0}, {2, 0, 2}, {2, 1, 3}, {0, 1, 1}};

TEST(Lstm, ForwardFollowsTheEquations) {
  const LstmPolicy policy(kOptions, kHidden);
  const std::vector<double> weights = random_weights(policy, 1, 1);
  const LstmPolicy::Trace trace = policy.forward(weights, kPoints);
  for (std::size_t s = 0; s < kPoints.size(); ++s) {
    const Probabilities expected = slow_forward(policy, weights, kPoints[s]);
    for (std::size_t choice = 0; choice < kOptions.size(); ++choice) {
      for (std::size_t option = 0; option < kOptions[choice]; ++option)
        EXPECT_NEAR(trace.probabilities[choice][s * kOptions[choice] + option], expected[choice][option], 1e-12);
    }
  }
}

// The frequencies of 20,000 drawn points agree with the probabilities of forward(): 24 points, standard deviation of a
// frequency at most sqrt(0.25 / 20000) = 0.0035.
TEST(Lstm, SampleFollowsTheProbabilities) {
  const LstmPolicy policy(kOptions, kHidden);
  const std::vector<double> weights = random_weights(policy, 2, 1);
  constexpr int kDrawn = 20'000;
  std::map<Point, int> counts;
  Draws draws({5}, "points");
  for (int i = 0; i < kDrawn; ++i) ++counts[policy.sample(weights, draws)];
  double sum = 0;
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 2; ++b) {
      for (int c = 0; c < 4; ++c) {
        const Probabilities p = slow_forward(policy, weights, {a, b, c});
        const double expected =
            p[0][static_cast<std::size_t>(a)] * p[1][static_cast<std::size_t>(b)] * p[2][static_cast<std::size_t>(c)];
        sum += expected;
        EXPECT_NEAR(static_cast<double>(counts[{a, b, c}]) / kDrawn, expected, 4 * 0.0035);
      }
    }
  }
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(Lstm, OneChoiceAndOneUnit) {
  const LstmPolicy policy({2}, 1);
  const std::vector<double> weights = random_weights(policy, 1, 1);
  Draws draws({1}, "point");
  EXPECT_EQ(policy.sample(weights, draws).size(), 1U);
  const std::vector<Point> points{{1}};
  const LstmPolicy::Trace trace = policy.forward(weights, points);
  EXPECT_EQ(policy.backward(weights, points, trace, {{0.5, -0.5}}).size(), weights.size());
}

// Large weights give probabilities of exactly 0 and 1, and no NaN.
TEST(Lstm, SaturatedWeights) {
  const LstmPolicy policy(kOptions, kHidden);
  const std::vector<double> weights = random_weights(policy, 1, 1e6);
  Draws draws({1}, "point");
  const std::vector<Point> points{policy.sample(weights, draws)};
  const LstmPolicy::Trace trace = policy.forward(weights, points);
  const PpoLoss loss = ppo_loss({points, std::vector<double>{1}, trace.probabilities}, trace.probabilities, 0.1);
  for (const double one : policy.backward(weights, points, trace, loss.logit_gradients))
    EXPECT_TRUE(std::isfinite(one));
}

// The gradient of PPO's loss with respect to every weight, by central differences. The old probabilities come from
// other weights, so that some ratios are clipped. With a step of 1e-5 the differences have an error of about 1e-10
// (third derivative) + 1e-16 / 1e-5 (rounding).
TEST(Lstm, GradientsAgreeWithFiniteDifferences) {
  const LstmPolicy policy(kOptions, kHidden);
  std::vector<double> weights = random_weights(policy, 3, 0.7);
  std::vector<double> old_weights = weights;
  const std::vector<double> change = random_weights(policy, 4, 0.5);
  for (std::size_t i = 0; i < weights.size(); ++i) old_weights[i] += change[i];
  const Probabilities old = policy.forward(old_weights, kPoints).probabilities;
  const std::vector<double> advantages{0.5, -0.3, 1, -1, 0.2, 0.1};
  const PpoBatch batch{kPoints, advantages, old};
  constexpr double kEntropyWeight = 0.3;
  const auto loss_at = [&](const std::vector<double>& at) {
    return ppo_loss(batch, policy.forward(at, kPoints).probabilities, kEntropyWeight);
  };
  const PpoLoss loss = loss_at(weights);
  const std::vector<double> gradient =
      policy.backward(weights, kPoints, policy.forward(weights, kPoints), loss.logit_gradients);
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double weight = weights[i];
    weights[i] = weight + kStep;
    const double above = loss_at(weights).value;
    weights[i] = weight - kStep;
    const double below = loss_at(weights).value;
    weights[i] = weight;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-8) << i;
  }
  int clipped = 0, free = 0;
  for (std::size_t choice = 0; choice < kOptions.size(); ++choice) {
    const Probabilities now = policy.forward(weights, kPoints).probabilities;
    for (std::size_t s = 0; s < kPoints.size(); ++s) {
      const std::size_t at = s * kOptions[choice] + static_cast<std::size_t>(kPoints[s][choice]);
      const double ratio = now[choice][at] / old[choice][at];
      ++(std::abs(ratio - 1) > 0.2 ? clipped : free);
    }
  }
  EXPECT_GT(clipped, 0);
  EXPECT_GT(free, 0);
}

}  // namespace
}  // namespace effnet::search
