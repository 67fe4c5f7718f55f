#include "effnet/search/space/least_squares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"

namespace effnet::search {
namespace {

// x0 + x1 = sum, x0 - x1 = difference.
LeastSquares two_unknowns(double sum, double difference, std::vector<double> expected, double ridge) {
  return {.equations = {{{{0, 1}, {1, 1}}, sum}, {{{0, 1}, {1, -1}}, difference}},
          .expected = std::move(expected),
          .ridge = ridge};
}

const std::vector<std::vector<double>> kStarts{{1, 1}, {0, 0}, {0, 5}};

// x0 + x1 = 1 and x0 - x1 = 3 give (2, -1). With x1 = 0 the sum (x0 - 1)^2 + (x0 - 3)^2 is smallest for x0 = 2, and its
// derivative by x1 is 2 (2 - 1) - 2 (2 - 3) = 4 > 0, so that no x1 > 0 is better.
TEST(LeastSquares, AnUnknownThatWouldBeNegativeIsZero) {
  for (const std::vector<double>& expected : kStarts) {
    const std::vector<double> x = solve_nonnegative(two_unknowns(1, 3, expected, 1e-9));
    EXPECT_NEAR(x[0], 2, 1e-7);
    EXPECT_EQ(x[1], 0);
  }
}

TEST(LeastSquares, WithoutNegativeUnknownsIsTheOrdinarySolution) {
  for (const std::vector<double>& expected : kStarts) {
    const std::vector<double> x = solve_nonnegative(two_unknowns(3, 1, expected, 1e-9));
    EXPECT_NEAR(x[0], 2, 1e-7);
    EXPECT_NEAR(x[1], 1, 1e-7);
  }
}

// x0 + x1 = 3 says nothing about the difference. Both unknowns deviate from the expected values 1 and 0.5 by the same
// d, which minimises (1.5 + 2 d - 3)^2 + ridge * 2 d^2: d = 1.5 / (2 + ridge).
TEST(LeastSquares, TheRidgeDecidesAboutUnknownsThatAreNotSeparated) {
  for (const double ridge : {1e-6, 1.0, 13.0}) {
    const LeastSquares problem{.equations = {{{{0, 1}, {1, 1}}, 3}}, .expected = {1, 0.5}, .ridge = ridge};
    const std::vector<double> x = solve_nonnegative(problem);
    EXPECT_NEAR(x[0], 1 + 1.5 / (2 + ridge), 1e-9);
    EXPECT_NEAR(x[1], 0.5 + 1.5 / (2 + ridge), 1e-9);
  }
}

TEST(LeastSquares, WithoutEquationsGivesTheExpectedValues) {
  EXPECT_EQ(solve_nonnegative({.equations = {}, .expected = {0, 3, 0.25}, .ridge = 2}),
            (std::vector<double>{0, 3, 0.25}));
  EXPECT_TRUE(solve_nonnegative({.equations = {}, .expected = {}, .ridge = 2}).empty());
  EXPECT_THROW(solve_nonnegative({.equations = {}, .expected = {1}, .ridge = 0}), Error);
}

// The conditions of Karush, Kuhn and Tucker, which hold for the minimum only because the sum of squares is strictly
// convex: the derivative is 0 for unknowns above 0, and at least 0 for unknowns that are 0. Returns how far they are
// violated, as a fraction of the largest derivative at x = 0.
double violation(const LeastSquares& problem, const std::vector<double>& x) {
  std::vector<double> derivative(x.size()), at_zero(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    derivative[i] = problem.ridge * (x[i] - problem.expected[i]);
    at_zero[i] = -problem.ridge * problem.expected[i];
  }
  for (const Equation& equation : problem.equations) {
    double residual = -equation.value;
    for (const Term& term : equation.terms) residual += term.factor * x[term.unknown];
    for (const Term& term : equation.terms) {
      derivative[term.unknown] += term.factor * residual;
      at_zero[term.unknown] -= term.factor * equation.value;
    }
  }
  double worst = 0, scale = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, x[i] > 0 ? std::abs(derivative[i]) : -derivative[i]);
    if (x[i] < 0) worst = INFINITY;
    scale = std::max(scale, std::abs(at_zero[i]));
  }
  return scale > 0 ? worst / scale : worst;
}

LeastSquares random_problem(std::size_t unknowns, std::size_t equations, double density, Draws& draws) {
  LeastSquares problem{.equations = {}, .expected = {}, .ridge = std::pow(10, draws.uniform(-4, 1))};
  for (std::size_t i = 0; i < unknowns; ++i) problem.expected.push_back(std::max(0.0, draws.uniform(-0.5, 2)));
  for (std::size_t e = 0; e < equations; ++e) {
    Equation& equation = problem.equations.emplace_back();
    equation.value = draws.normal();
    for (std::size_t i = 0; i < unknowns; ++i) {
      if (draws.chance(density)) equation.terms.push_back({i, draws.normal()});
    }
  }
  return problem;
}

TEST(LeastSquares, RandomProblemsFulfilTheConditionsOfTheMinimum) {
  Draws draws({.seed = 1}, "least squares");
  std::int64_t zeros = 0, total = 0;
  for (int i = 0; i < 300; ++i) {
    const auto unknowns = static_cast<std::size_t>(1 + draws.below(30));
    const auto equations = static_cast<std::size_t>(draws.below(40));
    const LeastSquares problem = random_problem(unknowns, equations, 0.5, draws);
    const std::vector<double> x = solve_nonnegative(problem);
    EXPECT_LT(violation(problem, x), 1e-6) << unknowns << " unknowns, " << equations << " equations";
    zeros += std::ranges::count(x, 0.0);
    total += std::ssize(x);
  }
  EXPECT_GT(zeros, total / 10) << "the bound matters in these problems";
  EXPECT_LT(zeros, total * 9 / 10);
}

// As in the fit of a latency table: more unknowns than equations, few terms in each.
TEST(LeastSquares, ThousandsOfUnknowns) {
  Draws draws({.seed = 2}, "least squares");
  const LeastSquares problem = random_problem(3000, 400, 0.005, draws);
  EXPECT_LT(violation(problem, solve_nonnegative(problem)), 1e-6);
}

}  // namespace
}  // namespace effnet::search
