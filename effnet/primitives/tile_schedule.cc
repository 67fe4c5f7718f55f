#include "effnet/primitives/tile_schedule.h"

#include <algorithm>
#include <limits>

namespace effnet::primitives {

TileSchedule::TileSchedule(const kernels::KernelSet& set) : narrow_(table_of(set, 8)), wide_(table_of(set, set.tile)) {}

TileSchedule::Table TileSchedule::table_of(const kernels::KernelSet& set, std::int64_t lanes) {
  Table first{};
  std::array<double, kExact + 1> cost{};
  const std::size_t tallest = set.first_height(lanes);
  for (std::size_t n = 1; n < cost.size(); ++n) {
    cost[n] = std::numeric_limits<double>::infinity();
    for (std::size_t i = tallest; i < set.heights.size(); ++i) {
      const auto height = static_cast<std::size_t>(set.heights[i]);
      if (height > n) continue;
      const double tile = static_cast<double>(std::max<std::size_t>(height, 4)) + 0.5;
      if (tile + cost[n - height] < cost[n]) {
        cost[n] = tile + cost[n - height];
        first[n] = static_cast<std::uint8_t>(i);
      }
    }
  }
  first.back() = static_cast<std::uint8_t>(tallest);
  return first;
}

}  // namespace effnet::primitives
