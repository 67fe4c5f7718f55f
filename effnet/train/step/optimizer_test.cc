#include "effnet/train/step/optimizer.h"

#include <gtest/gtest.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "effnet/base/philox.h"

namespace effnet::train {
namespace {

constexpr double kEpsilon = std::numeric_limits<float>::epsilon() / 2;  // relative error of one rounding

torch::Tensor numbers(std::int64_t n, std::uint64_t stream, float scale = 1) {
  std::vector<float> values(static_cast<std::size_t>(n));
  Philox(3, stream).fill_normal(values, 0, scale);
  return torch::tensor(values);
}

std::vector<double> doubles(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.detach().to(torch::kDouble).contiguous().flatten();
  return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
}

// One parameter of `n` values, with the gradient and the learning rate of each step.
struct Scenario {
  std::int64_t n = 100;
  int steps = 20;
  std::vector<double> start = doubles(numbers(n, 0));
  torch::Tensor gradient(int step) const { return numbers(n, 1 + static_cast<std::uint64_t>(step), 0.3F); }
  double lr(int step) const { return 0.05 / (1 + step); }
};

// Returns the parameter after all steps. `foreach`: the steps use LibTorch's foreach operations.
torch::Tensor run(const OptimizerSettings& settings, const Scenario& scenario, bool decays = true,
                  bool foreach = false) {
  torch::Tensor p = numbers(scenario.n, 0);
  // A strided slice is not updated in place, but by the foreach operations that GPUs use.
  if (foreach) p = torch::stack({p, p}, 1).select(1, 0);
  p.requires_grad_();
  const auto optimizer = make_optimizer(settings, {{"p", p, decays}});
  for (int step = 0; step < scenario.steps; ++step) {
    p.mutable_grad() = scenario.gradient(step);
    optimizer->step(scenario.lr(step));
  }
  return p.detach().contiguous();
}

// 8 roundings per step, each relative to the size of the parameter or its update (both below 4 here).
double tolerance(const Scenario& scenario) { return 8 * kEpsilon * 4 * scenario.steps; }

void expect_near(const std::vector<double>& got, const std::vector<double>& expected, double bound) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], bound) << i;
}

// Returns the result of TensorFlow's definition (docs/reference/paper.md, section D), computed in double.
std::vector<double> rmsprop_tf(const Scenario& scenario, double decay, double momentum, double epsilon,
                               double weight_decay) {
  std::vector<double> p = scenario.start, m(p.size(), 1), v(p.size(), 0);
  for (int step = 0; step < scenario.steps; ++step) {
    const std::vector<double> gradient = doubles(scenario.gradient(step));
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = gradient[i] + weight_decay * p[i];
      m[i] = decay * m[i] + (1 - decay) * g * g;
      v[i] = momentum * v[i] + scenario.lr(step) * g / std::sqrt(m[i] + epsilon);
      p[i] -= v[i];
    }
  }
  return p;
}

TEST(Optimizer, RmsPropMatchesTensorFlowsDefinition) {
  const Scenario scenario;
  for (const bool foreach : {false, true}) {
    const OptimizerSettings settings{.name = OptimizerKind::rmsprop_tf, .weight_decay = 0.01};
    expect_near(doubles(run(settings, scenario, true, foreach)), rmsprop_tf(scenario, 0.9, 0.9, 1e-3, 0.01),
                tolerance(scenario));
    expect_near(doubles(run(settings, scenario, false, foreach)), rmsprop_tf(scenario, 0.9, 0.9, 1e-3, 0),
                tolerance(scenario));
  }
}

// By hand: p = 1, g = 0.5, lr = 0.1, no weight decay. m = 0.9 + 0.1 * 0.25 = 0.925, v = 0.05 / sqrt(0.926) =
// 0.05195945, p = 0.94804055; then g = -1: m = 0.9325, v = 0.9 * 0.05195945 - 0.1 / sqrt(0.9335) = -0.05673709,
// p = 1.00477765. With epsilon outside the root, the first v would be 0.05193353. If m started at 0, the first v would
// be 0.31008684.
TEST(Optimizer, RmsPropMatchesValuesComputedByHand) {
  torch::Tensor p = torch::ones({1}).requires_grad_();
  const auto optimizer = make_optimizer({.name = OptimizerKind::rmsprop_tf, .weight_decay = 0}, {{"p", p, true}});
  p.mutable_grad() = torch::full({1}, 0.5);
  optimizer->step(0.1);
  EXPECT_NEAR(p.item<double>(), 0.94804055, 2e-7);
  p.mutable_grad() = torch::full({1}, -1.0);
  optimizer->step(0.1);
  EXPECT_NEAR(p.item<double>(), 1.00477765, 2e-7);
}

template <class Reference, class Options>
std::vector<double> reference(const Scenario& scenario, Options options) {
  torch::Tensor p = numbers(scenario.n, 0).to(torch::kDouble).requires_grad_();
  Reference optimizer({p}, options);
  for (int step = 0; step < scenario.steps; ++step) {
    p.mutable_grad() = scenario.gradient(step).to(torch::kDouble);
    static_cast<Options&>(optimizer.param_groups()[0].options()).lr(scenario.lr(step));
    optimizer.step();
  }
  return doubles(p);
}

TEST(Optimizer, SgdMatchesTorch) {
  const Scenario scenario;
  for (const bool nesterov : {false, true}) {
    const std::vector<double> expected = reference<torch::optim::SGD>(
        scenario, torch::optim::SGDOptions(0.1).momentum(0.9).nesterov(nesterov).weight_decay(0.01));
    for (const bool foreach : {false, true}) {
      const torch::Tensor got =
          run({.name = OptimizerKind::sgd, .momentum = 0.9, .nesterov = nesterov, .weight_decay = 0.01}, scenario, true,
              foreach);
      expect_near(doubles(got), expected, tolerance(scenario));
    }
  }
}

TEST(Optimizer, AdamWMatchesTorch) {
  const Scenario scenario;
  for (const double weight_decay : {0.0, 0.05}) {
    const std::vector<double> expected = reference<torch::optim::AdamW>(
        scenario, torch::optim::AdamWOptions(0.1).betas({0.9, 0.99}).eps(1e-8).weight_decay(weight_decay));
    for (const bool foreach : {false, true}) {
      const OptimizerSettings settings{
          .name = OptimizerKind::adamw, .momentum = 0.9, .decay = 0.99, .epsilon = 1e-8, .weight_decay = weight_decay};
      // If the gradients in m cancel, the update m / sqrt(v) increases the rounding error of m by up to
      // 1 / sqrt(1 - beta2) = 10.
      expect_near(doubles(run(settings, scenario, true, foreach)), expected, 10 * tolerance(scenario));
      expect_near(doubles(run({.name = OptimizerKind::adamw, .decay = 0.99, .weight_decay = weight_decay}, scenario,
                              true, foreach)),
                  expected, 10 * tolerance(scenario));  // with the default epsilon
    }
  }
}

TEST(Optimizer, TensorSizeAndNumberOfThreadsDoNotChangeBits) {
  const Scenario small;
  for (const auto& [kind, name] : kOptimizers) {
    // 100,000 values are divided among threads. The first hundred must get the same bits as in a tensor of only these
    // hundred values.
    Scenario large = small;
    large.n = 100'000;
    const torch::Tensor whole = run({.name = kind}, large), part = run({.name = kind}, small);
    EXPECT_TRUE(torch::equal(whole.narrow(0, 0, small.n), part)) << name;
    const int threads = at::get_num_threads();
    at::set_num_threads(threads == 1 ? 3 : 1);
    EXPECT_TRUE(torch::equal(run({.name = kind}, large), whole)) << name;
    at::set_num_threads(threads);
  }
}

TEST(Optimizer, AGradientMayHaveOtherStridesThanItsParameter) {
  const torch::Tensor values = numbers(2 * 3 * 5 * 5, 0).view({2, 3, 5, 5});
  const torch::Tensor gradient = numbers(2 * 3 * 5 * 5, 1).view({2, 3, 5, 5});
  torch::Tensor plain = values.clone().requires_grad_();
  torch::Tensor permuted = values.clone().contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_();
  const auto optimizer =
      make_optimizer({.name = OptimizerKind::adamw}, {{"plain", plain, true}, {"permuted", permuted, true}});
  plain.mutable_grad() = gradient.clone();
  permuted.mutable_grad() = gradient.clone();
  optimizer->step(0.1);
  EXPECT_FALSE(torch::equal(plain, values));
  EXPECT_TRUE(torch::equal(plain, permuted));
}

TEST(Optimizer, ATensorWithoutGradientDoesNotChange) {
  torch::Tensor p = torch::ones({4}).requires_grad_();
  const auto optimizer = make_optimizer({.name = OptimizerKind::rmsprop_tf}, {{"p", p, true}});
  optimizer->step(0.1);
  EXPECT_TRUE(torch::equal(p, torch::ones({4})));
}

// A new optimiser that receives the state of another one computes the same bits from then on.
TEST(Optimizer, StateIsComplete) {
  for (const auto& [kind, name] : kOptimizers) {
    const Scenario scenario;
    torch::Tensor p = numbers(scenario.n, 0).requires_grad_();
    auto optimizer = make_optimizer({.name = kind, .nesterov = true}, {{"p", p, true}});
    for (int step = 0; step < scenario.steps; ++step) {
      if (step == scenario.steps / 2) {
        auto fresh = make_optimizer({.name = kind, .nesterov = true}, {{"p", p, true}});
        auto to = fresh->state(), from = optimizer->state();
        ASSERT_EQ(to.size(), from.size());
        for (std::size_t i = 0; i < to.size(); ++i) {
          EXPECT_EQ(to[i].first, from[i].first);
          EXPECT_EQ(to[i].second.scalar_type(), torch::kFloat);
          to[i].second.copy_(from[i].second);
        }
        optimizer = std::move(fresh);
      }
      p.mutable_grad() = scenario.gradient(step);
      optimizer->step(scenario.lr(step));
    }
    EXPECT_TRUE(torch::equal(p, run({.name = kind, .nesterov = true}, scenario))) << name;
  }
}

// A tensor with lr_scale s changes like one of an optimiser whose learning rate is s times as large.
TEST(Optimizer, LearningRateOfATensorIsScaled) {
  const Scenario scenario;
  for (const auto& [kind, name] : kOptimizers) {
    for (const bool foreach : {false, true}) {
      SCOPED_TRACE(fmt::format("{} foreach {}", name, foreach));
      const auto tensor = [&] {
        torch::Tensor p = numbers(scenario.n, 0);
        return (foreach ? torch::stack({p, p}, 1).select(1, 0) : p).requires_grad_();
      };
      const std::vector<torch::Tensor> p{tensor(), tensor(), tensor()};
      const OptimizerSettings settings{.name = kind, .weight_decay = 0.01};
      const auto both = make_optimizer(settings, {{"a", p[0], true, 1}, {"b", p[1], true, 0.25}});
      const auto slow = make_optimizer(settings, {{"c", p[2], true, 1}});
      for (int step = 0; step < scenario.steps; ++step) {
        for (const torch::Tensor& one : p) one.mutable_grad() = scenario.gradient(step);
        both->step(scenario.lr(step));
        slow->step(scenario.lr(step) * 0.25);
      }
      EXPECT_TRUE(torch::equal(p[1], p[2]));
      EXPECT_FALSE(torch::equal(p[0], p[1]));
    }
  }
}

}  // namespace
}  // namespace effnet::train
