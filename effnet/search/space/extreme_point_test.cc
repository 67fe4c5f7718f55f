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

// The largest activations are those of the expanded channels of both stages. Only if both stages are changed the memory
// becomes smaller or larger.
TEST(ExtremePoint, TwoStagesThatHaveTheSamePeak) {
  for (const char* expand : {"[6, 3]", "[3, 6]"}) {
    const Space space = parse_space(fmt::format(R"(
name = "equal"
[[stages]]
stage = 1
expand = {0}
[[stages]]
stage = 2
expand = {0}
[base]
name = "equal"
resolution = 32
[base.stem]
channels = 16
[[base.stages]]
channels = 16
repeats = 2
expand = 6
[[base.stages]]
channels = 16
repeats = 2
expand = 6
[base.head]
channels = 32
)",
                                                expand),
                                    "equal");
    const auto memory = graph::find_counted_cost("memory")->count;
    std::vector<double> costs;
    for_each_point(space, [&](const Point& point) { costs.push_back(memory(network_of(space, point))); });
    ASSERT_LT(std::ranges::min(costs), std::ranges::max(costs));
    const auto cost_at = [&](Extreme extreme) {
      return memory(network_of(space, extreme_point(space, extreme, memory)));
    };
    EXPECT_EQ(cost_at(Extreme::cheapest), std::ranges::min(costs)) << expand;
    EXPECT_EQ(cost_at(Extreme::most_expensive), std::ranges::max(costs)) << expand;
  }
}

}  // namespace
}  // namespace effnet::search
