#include "effnet/engine/tiling.h"

#include <algorithm>
#include <limits>

namespace effnet::engine {

Tiling::Tiling(const kernels::KernelSet& set) {
  std::array<double, kExact + 1> cost{};
  for (std::size_t n = 1; n < cost.size(); ++n) {
    cost[n] = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < set.heights.size(); ++i) {
      const auto height = static_cast<std::size_t>(set.heights[i]);
      if (height > n) continue;
      const double tile = static_cast<double>(std::max<std::size_t>(height, 4)) + 0.5;
      if (tile + cost[n - height] < cost[n]) {
        cost[n] = tile + cost[n - height];
        first_[n] = static_cast<std::uint8_t>(i);
      }
    }
  }
}

}  // namespace effnet::engine
