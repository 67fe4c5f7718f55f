// A response surface: a quadratic function of the coefficients that fits the scores of a search, and its maximum with a
// confidence interval.
//
// Coefficients with alpha * beta^2 * gamma^2 = F spend shares of log F: depth log(alpha), width 2 log(beta), resolution
// 2 log(gamma). The shares are at least 0 and their sum is 1, so two of them, depth x and width y, are free:
//   score = c0 + c1 x + c2 y + c3 x^2 + c4 x y + c5 y^2
// The fit is least squares (Box and Wilson 1951). The maximum is searched on a grid of the triangle x, y >= 0,
// x + y <= 1. Networks whose rounded cost is not exactly F enter with the shares of their own coefficients.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "effnet/arch/scaling.h"

namespace effnet::search {

struct Observation {
  arch::Coefficients coefficients;
  double score = 0;
  std::uint64_t seed = 0;
};

struct ResponseSurface {
  std::array<double, 6> c{};  // c0 to c5
  double deviation = 0;       // of the residuals, with the divisor n - 6
  arch::Coefficients best;    // the maximum, scaled to alpha * beta^2 * gamma^2 = factor
  double best_score = 0;      // the fitted score there
  // The 2.5 % and 97.5 % quantiles of each coefficient of the maximum, from 1,000 bootstrap samples of the
  // observations.
  std::array<double, 2> alpha{}, beta{}, gamma{};
};

// Empty if there are fewer than 7 observations or the coefficients do not determine the six parameters (for example if
// all have the same alpha). `factor`: above 1. `seed`: of the bootstrap.
std::optional<ResponseSurface> fit_response_surface(const std::vector<Observation>& observations, double factor,
                                                    std::uint64_t seed);

}  // namespace effnet::search
