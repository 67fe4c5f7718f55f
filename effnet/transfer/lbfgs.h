// L-BFGS: minimises a smooth convex function (Nocedal and Wright, Numerical Optimization, 2nd edition, algorithms 7.4
// and 7.5), with a backtracking line search.
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace effnet::transfer {

// Returns the value at `x` and writes the gradient, which has the size of `x`.
using Objective = std::function<double(std::span<const float> x, std::span<float> gradient)>;

struct LbfgsOptions {
  double tolerance = 1e-6;  // stops when the Euclidean norm of the gradient is at most this
  int max_iterations = 1000;
  int memory = 10;  // pairs of steps and gradient differences that approximate the Hessian
};

struct LbfgsResult {
  double value = 0;
  double gradient_norm = 0;  // at the result
  int iterations = 0;
  int evaluations = 0;     // of the objective
  bool converged = false;  // the gradient norm is at most the tolerance
};

// Replaces the start `x` by the result. Sums are computed in double and in a fixed order. Stops without convergence
// after max_iterations, or when float32 is not precise enough for a better result: no step decreases the value, or ten
// steps together decrease it by less than the rounding of a float32, 2^-24 of the value. Throws
// Error(interrupted) after Ctrl-C, and Error(input) if the value at the start is not finite.
LbfgsResult minimise(const Objective& objective, std::vector<float>& x, const LbfgsOptions& options = {});

}  // namespace effnet::transfer
