#include "effnet/transfer/linear_probe.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"
#include "effnet/transfer/compute.h"
#include "effnet/transfer/transfer_testing.h"

namespace effnet::transfer {
namespace {

using testkit::all_rows;
using testkit::Clusters;

// The sum of f(x) = sum of i * (x_i - i)^2 / 2 is a quadratic function: the minimum is x_i = i.
TEST(Lbfgs, FindsTheMinimumOfAQuadraticFunction) {
  std::vector<float> x(37, 5.0F);
  const LbfgsResult result = minimise(
      [](std::span<const float> at, std::span<float> gradient) {
        double value = 0;
        for (std::size_t i = 0; i < at.size(); ++i) {
          const double distance = double{at[i]} - static_cast<double>(i);
          value += static_cast<double>(i + 1) * distance * distance / 2;
          gradient[i] = static_cast<float>(static_cast<double>(i + 1) * distance);
        }
        return value;
      },
      x, {.tolerance = 1e-4});
  EXPECT_TRUE(result.converged);
  // The gradient of component i is (i + 1) times the distance, and at most the tolerance.
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(x[i], static_cast<double>(i), 1e-4 / static_cast<double>(i + 1) + 1e-6 * static_cast<double>(i));
}

// Where the noise of the gradient is larger than the tolerance, the norm does not reach the tolerance. The minimum is 4
// at x_i = 1, with curvatures from 1 to 1/200; the noise is at most 1e-4 in each of 200 components.
TEST(Lbfgs, StopsWhenTheGradientIsOnlyNoise) {
  for (const double noise : {1e-5, 1e-4}) {
    std::vector<float> x(200, 5.0F);
    std::uint64_t evaluation = 0;
    const LbfgsResult result = minimise(
        [&](std::span<const float> at, std::span<float> gradient) {
          Draws draws({.seed = 1, .sample = ++evaluation}, "noise");
          double value = 4;
          for (std::size_t i = 0; i < at.size(); ++i) {
            const double distance = double{at[i]} - 1, curvature = 1 / static_cast<double>(i + 1);
            value += curvature * distance * distance / 2;
            gradient[i] = static_cast<float>(curvature * distance + noise * (2 * draws.uniform() - 1));
          }
          return value;
        },
        x, {.tolerance = 1e-6});
    EXPECT_FALSE(result.converged);
    EXPECT_LT(result.iterations, 300) << noise << ": without noise it takes fewer than 100";
    // A gradient of noise g has an excess of at most the sum of g_i^2 / (2 * curvature_i).
    EXPECT_LT(result.value - 4, noise * noise / 2 * 200 * 201 / 2 + 10 * 0x1p-24 * 4) << noise;
  }
}

TEST(Lbfgs, StopsAtTheLimitAndRefusesANonFiniteStart) {
  const Objective cube = [](std::span<const float> at, std::span<float> gradient) {
    gradient[0] = 4 * at[0] * at[0] * at[0];
    return std::pow(double{at[0]}, 4);
  };
  std::vector<float> x{3};
  EXPECT_FALSE(minimise(cube, x, {.tolerance = 1e-30, .max_iterations = 2}).converged);
  x = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(minimise(cube, x), Error);
}

// tests/golden/transfer/make_probe.py has the same formula.
TEST(LinearProbe, HasTheLogitsOfScikitLearn) {
  constexpr std::int64_t kRows = 61, kWidth = 19, kClasses = 5;
  std::vector<float> values;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < kRows; ++i) {
    labels.push_back(i % kClasses);
    for (std::int64_t c = 0; c < kWidth; ++c) {
      const auto row = static_cast<double>(i), column = static_cast<double>(c);
      values.push_back(static_cast<float>(std::sin(1.7 * row + 0.9 * column * column) +
                                          0.8 * std::cos(static_cast<double>(labels.back()) * (column + 1)) + 3));
    }
  }
  const Compute compute(2);
  ProbeTraining training(compute.context, {values, labels, kWidth, kClasses}, all_rows(kRows));
  constexpr double kTolerance = 1e-5, kL2 = 0.01;
  const LbfgsResult fit = training.fit(kL2, kTolerance);
  EXPECT_TRUE(fit.converged);
  const std::vector<float> logits = training.probe().logits(compute.context, values);

  std::ifstream golden(EFFNET_SOURCE_DIR "/tests/golden/transfer/probe.txt");
  for (std::int64_t i = 0; i < kRows; ++i) {
    const float* const row = &logits[static_cast<std::size_t>(i * kClasses)];
    const double mean = std::accumulate(row, row + kClasses, 0.0) / kClasses;
    for (std::int64_t k = 0; k < kClasses; ++k) {
      double expected = 0;
      ASSERT_TRUE(golden >> expected);
      // The loss is l2-strongly convex in the weights, so their distance from the minimum is at most gradient / l2. The
      // norm of a scaled row is about sqrt(19) = 4.4 and stays below 10.
      EXPECT_NEAR(row[k] - mean, expected, 10 * fit.gradient_norm / kL2 + 1e-4) << i << " " << k;
    }
  }
}

TEST(LinearProbe, DoesNotDependOnThreads) {
  const Clusters data(501, 37, 17, 1.0F);
  const auto trained = [&](int threads) {
    const Compute compute(threads);
    ProbeTraining training(compute.context, data.rows(), all_rows(501));
    training.fit(0.1);
    training.fit(0.01);
    return training.probe();
  };
  const LinearProbe one = trained(1), three = trained(3);
  EXPECT_EQ(one.weight, three.weight);
  EXPECT_EQ(one.bias, three.bias);
}

TEST(LinearProbe, UsesOnlyTheGivenRows) {
  Clusters data(40, 5, 2, 0.1F);
  const Compute compute(1);
  const auto trained = [&] {
    ProbeTraining training(compute.context, data.rows(), std::vector<std::int64_t>{0, 1, 2, 3, 6, 7});
    training.fit(0.01);
    return training.probe().weight;
  };
  const std::vector<float> before = trained();
  for (std::size_t i = 4 * 5; i < 6 * 5; ++i) data.values[i] = 1e6F;
  EXPECT_EQ(trained(), before);
}

// Equal rows have no direction in which classes could differ: only the bias is learned.
TEST(LinearProbe, EqualRowsGiveTheFrequenciesOfTheClasses) {
  const std::vector<float> values(4 * 3, 0.7F);
  const std::vector<std::int64_t> labels{0, 1, 1, 1};
  const Compute compute(1);
  ProbeTraining training(compute.context, {values, labels, 3, 2}, all_rows(4));
  training.fit(0.1, 1e-5);
  const LinearProbe probe = training.probe();
  EXPECT_EQ(probe.weight, std::vector<float>(6));
  EXPECT_NEAR(probe.bias[1] - probe.bias[0], std::log(3.0), 1e-3);
}

TEST(LinearProbe, RefusesWrongArguments) {
  const Clusters data(6, 3, 2, 1.0F);
  const Compute compute(1);
  EXPECT_THROW(ProbeTraining(compute.context, data.rows(), {}), Error);
  ProbeTraining training(compute.context, data.rows(), all_rows(6));
  for (const double l2 : {0.0, -1.0, static_cast<double>(NAN)}) EXPECT_THROW(training.fit(l2), Error);
}

}  // namespace
}  // namespace effnet::transfer
