#include "effnet/search/space/extreme_point.h"

#include <iterator>
#include <utility>

#include "effnet/graph/counted_costs.h"

namespace effnet::search {

Point extreme_point(const Space& space, Extreme extreme, const arch::Cost& cost) {
  const double sign = extreme == Extreme::cheapest ? 1 : -1;
  // A cost that is a maximum over the stages, such as the memory of activations, does not change with one stage where
  // two have the same one. Among equal costs fewer MACs are better, so that both stages are changed.
  const auto value_of = [&](const Point& point) {
    const arch::ArchSpec spec = network_of(space, point);
    return std::pair(sign * cost(spec), sign * graph::count_macs(spec));
  };
  Point best(space.choices.size(), 0);
  std::pair<double, double> lowest = value_of(best);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t choice = 0; choice < best.size(); ++choice) {
      for (int option = 0; option < std::ssize(space.choices[choice].options); ++option) {
        Point other = best;
        other[choice] = option;
        const std::pair<double, double> value = value_of(other);
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
