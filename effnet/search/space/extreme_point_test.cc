#include "effnet/search/space/extreme_point.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/graph/counted_costs.h"
#include "effnet/search/space/space_testing.h"

namespace effnet::search {
namespace {

// Brute force over all points of a small space, for each counted cost.
TEST(ExtremePoint, IsTheExtremeOfAllNetworks) {
  const Space space = parse_space(R"(
name = "small"
base = "mobilenet_v2"
[[stages]]
stage = 2
kernel = [5, 3]
expand = [3, 1, 6]
[[stages]]
stage = 3
width = [1, 0.75, 1.25]
layers = [0, -1, 1]
)",
                                  "small");
  for (const graph::CountedCost& cost : graph::counted_costs()) {
    std::vector<double> costs;
    for_each_point(space, [&](const Point& point) { costs.push_back(cost.count(network_of(space, point))); });
    ASSERT_EQ(costs.size(), 54U);
    const auto cost_at = [&](Extreme extreme) {
      const Point point = extreme_point(space, extreme, cost.count);
      EXPECT_EQ(point, canonical(space, point));
      return cost.count(network_of(space, point));
    };
    EXPECT_EQ(cost_at(Extreme::cheapest), std::ranges::min(costs)) << cost.name;
    EXPECT_EQ(cost_at(Extreme::most_expensive), std::ranges::max(costs)) << cost.name;
  }
}

}  // namespace
}  // namespace effnet::search
