// A search problem whose best network is known exactly, for any space: it costs nothing to evaluate, so a search with
// it shows whether a controller works. The quality of a point is the sum of
//   a value in [0, 1] for the option of each choice, and
//   half a value in [0, 1] for the options of each two neighbouring choices,
// drawn from the seed, and then scaled linearly: 0 and 1 are the smallest and largest sum over all points. Because only
// neighbours interact, dynamic programming along the choices finds these two sums.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/search/nas/evaluator.h"
#include "effnet/search/space/space.h"

namespace effnet::search {

class ToyProblem {
 public:
  ToyProblem(Space space, std::uint64_t seed);

  // The quality of the point's canonical point, from 0 to 1: points of one network have one quality.
  double quality(const Point& point) const;

  struct Optimum {
    Point point;
    double quality = 0;
  };
  // The canonical point with the highest quality. The quality is 1 if all points of the space are canonical. Throws
  // Error(input) if the best 100,000 points are not canonical.
  Optimum optimum() const;

 private:
  double sum_of(const Point& point) const;

  Space space_;
  std::vector<std::vector<double>> values_;  // [choice][option]
  std::vector<std::vector<double>> pairs_;   // [choice][option before * options + option]; of the first choice empty
  // The largest sum of the values of a choice and those after it, for each option of the choice.
  std::vector<std::vector<double>> largest_after_;
  double smallest_ = 0, largest_ = 0;  // sum over all points
};

ToyProblem::Optimum toy_optimum(const Space& space, std::uint64_t seed);

}  // namespace effnet::search
