#include "effnet/search/scale/response_surface.h"

#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/philox.h"

namespace effnet::search {
namespace {

arch::Coefficients with_shares(double depth, double width) {
  return {std::pow(2, depth), std::pow(2, width / 2), std::pow(2, (1 - depth - width) / 2)};
}

// Scores whose maximum is at the given shares of depth and width.
std::vector<Observation> paraboloid(double depth, double width, double noise, int copies = 1) {
  std::vector<Observation> observations;
  const Philox random(3, 4);
  for (int copy = 0; copy < copies; ++copy) {
    for (int i = 0; i <= 10; ++i) {
      for (int j = 0; i + j <= 10; ++j) {
        const double x = 0.1 * i, y = 0.1 * j;
        const double score = 70 - 8 * (x - depth) * (x - depth) - 5 * (y - width) * (y - width) +
                             3 * (x - depth) * (y - width) + noise * random.normal(observations.size());
        observations.push_back({with_shares(x, y), score, static_cast<std::uint64_t>(copy)});
      }
    }
  }
  return observations;
}

TEST(ResponseSurface, FindsTheMaximumOfAQuadraticFunction) {
  const auto surface = fit_response_surface(paraboloid(0.3, 0.25, 0), 2, 1);
  ASSERT_TRUE(surface.has_value());
  EXPECT_NEAR(surface->c[0], 70 - 8 * 0.09 - 5 * 0.0625 + 3 * 0.075, 1e-6);
  EXPECT_NEAR(surface->c[3], -8, 1e-6);
  EXPECT_NEAR(surface->c[4], 3, 1e-6);
  EXPECT_NEAR(surface->best_score, 70, 1e-4);  // the grid's step is 0.005, so the error is below 8 * 0.0025^2
  EXPECT_NEAR(surface->best.alpha, std::pow(2, 0.3), 0.003);
  EXPECT_NEAR(surface->best.constraint(), 2, 1e-12);
  EXPECT_LT(surface->deviation, 1e-6);
  EXPECT_LT(surface->alpha[1] - surface->alpha[0], 0.005);
}

TEST(ResponseSurface, TheIntervalHasTheMaximumAndGrowsWithTheNoise) {
  const auto quiet = fit_response_surface(paraboloid(0.3, 0.25, 0.1, 3), 2, 1);
  const auto loud = fit_response_surface(paraboloid(0.3, 0.25, 1, 3), 2, 1);
  const double alpha = std::pow(2, 0.3);
  EXPECT_LE(quiet->alpha[0], alpha);
  EXPECT_GE(quiet->alpha[1], alpha);
  EXPECT_GT(loud->alpha[1] - loud->alpha[0], 3 * (quiet->alpha[1] - quiet->alpha[0]));
  EXPECT_NEAR(quiet->deviation, 0.1, 0.02);  // 198 observations: a relative error of 1 / sqrt(2 * 192) is 5 %
}

TEST(ResponseSurface, TheMaximumStaysInTheTriangle) {
  const auto surface = fit_response_surface(paraboloid(-0.5, 1.4, 0), 2, 1);
  EXPECT_GE(surface->best.alpha, 1);
  EXPECT_GE(surface->best.beta, 1);
  EXPECT_GE(surface->best.gamma, 1);
}

TEST(ResponseSurface, TooFewOrDependentObservationsGiveNone) {
  std::vector<Observation> observations = paraboloid(0.3, 0.3, 0);
  observations.resize(6);
  EXPECT_FALSE(fit_response_surface(observations, 2, 1).has_value());
  observations.clear();
  for (int i = 0; i < 20; ++i) observations.push_back({with_shares(0.5, 0.02 * i), 1.0 * i, 0});
  EXPECT_FALSE(fit_response_surface(observations, 2, 1).has_value()) << "the share of depth is always 0.5";
}

}  // namespace
}  // namespace effnet::search
