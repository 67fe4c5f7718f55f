// Trade-offs of quality (higher is better) and cost (lower is better). One trade-off dominates another if it is not
// worse in both, and better in one. All numbers must be finite.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace effnet::search {

struct Tradeoff {
  double quality = 0, cost = 0;
};

bool dominates(const Tradeoff& a, const Tradeoff& b);

// Sorts into fronts (Deb et al. 2002, section III.A): the first front has those that no other one dominates, the next
// front those that only members of the fronts before it dominate, and so on. A front has indices, cheapest first; equal
// trade-offs are in the same front, in their order. Takes n log n steps.
std::vector<std::vector<std::size_t>> non_dominated_fronts(std::span<const Tradeoff> all);

// The first front. Equal trade-offs are all in it.
std::vector<std::size_t> pareto_front(std::span<const Tradeoff> all);

// Crowding distance of each member of one front (section III.B): the distance between its neighbours in quality and in
// cost, each divided by the front's range; infinite for the first and the last one.
std::vector<double> crowding_distances(std::span<const Tradeoff> front);

// The area of all trade-offs that are dominated by one of `all` and dominate `reference`: the larger, the better the
// front of `all` (Zitzler & Thiele 1998).
double hypervolume(std::span<const Tradeoff> all, const Tradeoff& reference);

}  // namespace effnet::search
