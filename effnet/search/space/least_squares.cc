// The method of active sets by Lawson and Hanson (1974, "Solving Least Squares Problems", chapter 23). The unknowns are
// divided into free ones and those that are held at 0. The minimum over the free ones is computed by conjugate
// gradients (Hestenes and Stiefel 1952): a decomposition of the normal equations of 3,000 unknowns would take seconds.
#include "effnet/search/space/least_squares.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::search {
namespace {

using Vector = std::vector<double>;

// Both are relative to the right side of the normal equations. The first is the precision of the minimum over the free
// unknowns. An unknown that is held at 0 becomes free if its gradient exceeds the second, which is much larger, so that
// a rounding error frees none.
constexpr double kPrecision = 1e-13, kGradient = 1e-7;

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

// The normal equations of the problem: (A^T A + ridge I) x = A^T b + ridge expected.
class NormalEquations {
 public:
  explicit NormalEquations(const LeastSquares& problem) : problem_(problem), right_(problem.expected) {
    for (double& value : right_) value *= problem.ridge;
    for (const Equation& equation : problem.equations) {
      for (const Term& term : equation.terms) right_[term.unknown] += term.factor * equation.value;
    }
  }

  const Vector& right() const { return right_; }

  Vector left(const Vector& x) const {
    Vector out = x;
    for (double& value : out) value *= problem_.ridge;
    for (const Equation& equation : problem_.equations) {
      double sum = 0;
      for (const Term& term : equation.terms) sum += term.factor * x[term.unknown];
      for (const Term& term : equation.terms) out[term.unknown] += term.factor * sum;
    }
    return out;
  }

  // right - left(x), which is half of the descent direction of the sum of squares.
  Vector descent(const Vector& x) const {
    Vector out = left(x);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = right_[i] - out[i];
    return out;
  }

 private:
  const LeastSquares& problem_;
  Vector right_;
};

void hold(Vector& values, const std::vector<bool>& free) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!free[i]) values[i] = 0;
  }
}

// The minimum over the free unknowns, searched from `x`. The others stay as they are.
Vector minimum(const NormalEquations& normal, const std::vector<bool>& free, Vector x) {
  Vector residual = normal.descent(x);
  hold(residual, free);
  Vector direction = residual;
  double squares = dot(residual, residual);
  const double enough = kPrecision * kPrecision * dot(normal.right(), normal.right());
  const std::size_t most_steps = 100 + 4 * x.size();  // without rounding errors, x.size() steps are enough
  for (std::size_t step = 0; step < most_steps && squares > enough; ++step) {
    Vector product = normal.left(direction);
    hold(product, free);
    const double length = squares / dot(direction, product);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] += length * direction[i];
      residual[i] -= length * product[i];
    }
    const double before = std::exchange(squares, dot(residual, residual));
    for (std::size_t i = 0; i < x.size(); ++i) direction[i] = residual[i] + squares / before * direction[i];
  }
  return x;
}

// Moves x to the minimum over the free unknowns. If one of them would become negative, the move stops where it is 0.
// This unknown then stays 0, and the move is repeated with the others.
void move_to_minimum(const NormalEquations& normal, std::vector<bool>& free, Vector& x) {
  for (;;) {
    const Vector target = minimum(normal, free, x);
    double length = 1;
    std::size_t first = x.size();  // the unknown that becomes 0 first
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!free[i] || target[i] >= 0) continue;
      const double here = x[i] / (x[i] - target[i]);
      if (first < x.size() && here >= length) continue;
      length = here;
      first = i;
    }
    if (first == x.size()) {
      x = target;
      return;
    }
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::max(0.0, x[i] + length * (target[i] - x[i]));
    x[first] = 0;
    free[first] = false;
  }
}

}  // namespace

std::vector<double> solve_nonnegative(const LeastSquares& problem) {
  EFFNET_CHECK(problem.ridge > 0);
  const NormalEquations normal(problem);
  Vector x = problem.expected;
  std::vector<bool> free(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) free[i] = x[i] > 0;
  double largest = 0;
  for (const double value : normal.right()) largest = std::max(largest, std::abs(value));
  // Each round lowers the sum of squares, so that no set of free unknowns comes twice. Lawson and Hanson expect at most
  // three rounds for each unknown.
  for (std::size_t round = 0; round <= 3 * x.size(); ++round) {
    move_to_minimum(normal, free, x);
    const Vector descent = normal.descent(x);
    std::size_t steepest = x.size();
    double most = kGradient * largest;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (free[i] || descent[i] <= most) continue;
      most = descent[i];
      steepest = i;
    }
    if (steepest == x.size()) return x;
    free[steepest] = true;
  }
  throw internal_error("the least squares did not end");
}

}  // namespace effnet::search
