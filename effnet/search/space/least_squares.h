// Least squares with unknowns of at least 0, for thousands of unknowns and sparse equations. For use inside
// effnet/search/space only.
#pragma once

#include <cstddef>
#include <vector>

namespace effnet::search {

struct Term {
  std::size_t unknown = 0;
  double factor = 0;
};
// The sum of the terms shall be `value`.
struct Equation {
  std::vector<Term> terms;
  double value = 0;
};

struct LeastSquares {
  std::vector<Equation> equations;
  std::vector<double> expected;  // for each unknown its value if no equation says otherwise; at least 0
  double ridge = 1;              // weight of the deviations from `expected`; above 0
};

// Returns the x >= 0 that minimises the sum over the equations of (sum of factor * x[unknown] - value)^2, plus ridge *
// sum of (x - expected)^2. There is exactly one such x, because the ridge also decides about unknowns that the
// equations do not separate. Requires finite numbers.
std::vector<double> solve_nonnegative(const LeastSquares& problem);

}  // namespace effnet::search
