#include "effnet/search/space/extreme_point.h"

#include <iterator>
#include <utility>

namespace effnet::search {

Point extreme_point(const Space& space, Extreme extreme, const arch::Cost& cost) {
  const double sign = extreme == Extreme::cheapest ? 1 : -1;
  const auto value_of = [&](const Point& point) { return sign * cost(network_of(space, point)); };
  Point best(space.choices.size(), 0);
  double lowest = value_of(best);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t choice = 0; choice < best.size(); ++choice) {
      for (int option = 0; option < std::ssize(space.choices[choice].options); ++option) {
        Point other = best;
        other[choice] = option;
        const double value = value_of(other);
        if (value >= lowest) continue;
        best = std::move(other);
        lowest = value;
        changed = true;
      }
    }
  }
  return canonical(space, best);
}

}  // namespace effnet::search
