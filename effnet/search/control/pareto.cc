#include "effnet/search/control/pareto.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace effnet::search {
namespace {

// Cheapest first; of equal costs the highest quality first; of equal trade-offs in their order.
std::vector<std::size_t> by_cost(std::span<const Tradeoff> all) {
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return all[a].cost != all[b].cost ? all[a].cost < all[b].cost : all[a].quality > all[b].quality;
  });
  return order;
}

bool equal(const Tradeoff& a, const Tradeoff& b) { return a.quality == b.quality && a.cost == b.cost; }

}  // namespace

bool dominates(const Tradeoff& a, const Tradeoff& b) {
  return a.quality >= b.quality && a.cost <= b.cost && !equal(a, b);
}

std::vector<std::vector<std::size_t>> non_dominated_fronts(std::span<const Tradeoff> all) {
  std::vector<std::vector<std::size_t>> fronts;
  for (const std::size_t i : by_cost(all)) {
    // Members so far cost at most as much as i. The last member of a front has the front's highest quality, and a front
    // dominates i exactly if this quality is at least that of i, unless the last member is equal to i. These qualities
    // fall from front to front, so that bisection finds the first front that does not dominate i.
    const auto dominates_i = [&](const std::vector<std::size_t>& front) {
      const Tradeoff& last = all[front.back()];
      return last.quality >= all[i].quality && !equal(last, all[i]);
    };
    const auto found = std::ranges::partition_point(fronts, dominates_i);
    if (found == fronts.end()) {
      fronts.push_back({i});
    } else {
      found->push_back(i);
    }
  }
  return fronts;
}

std::vector<std::size_t> pareto_front(std::span<const Tradeoff> all) {
  std::vector<std::size_t> front;
  for (const std::size_t i : by_cost(all)) {
    if (front.empty() || all[i].quality > all[front.back()].quality || equal(all[i], all[front.back()]))
      front.push_back(i);
  }
  return front;
}

std::vector<double> crowding_distances(std::span<const Tradeoff> front) {
  std::vector<double> distances(front.size());
  if (front.empty()) return distances;
  std::vector<std::size_t> order(front.size());
  for (double Tradeoff::*axis : {&Tradeoff::quality, &Tradeoff::cost}) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return front[a].*axis < front[b].*axis; });
    const double range = front[order.back()].*axis - front[order.front()].*axis;
    distances[order.front()] = distances[order.back()] = INFINITY;
    if (range <= 0) continue;
    for (std::size_t i = 1; i + 1 < order.size(); ++i)
      distances[order[i]] += (front[order[i + 1]].*axis - front[order[i - 1]].*axis) / range;
  }
  return distances;
}

double hypervolume(std::span<const Tradeoff> all, const Tradeoff& reference) {
  double area = 0;
  double reached = reference.quality;  // of the cheaper members of the front
  for (const std::size_t i : pareto_front(all)) {
    if (all[i].cost >= reference.cost || all[i].quality <= reached) continue;
    area += (all[i].quality - reached) * (reference.cost - all[i].cost);
    reached = all[i].quality;
  }
  return area;
}

}  // namespace effnet::search
