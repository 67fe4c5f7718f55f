#include "effnet/search/control/pareto.h"

#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/random_key.h"

namespace effnet::search {
namespace {

using Indices = std::vector<std::size_t>;

// Small integers, so that many numbers are equal.
std::vector<Tradeoff> random_tradeoffs(std::uint64_t seed, std::size_t count) {
  Draws draws({seed}, "tradeoffs");
  std::vector<Tradeoff> all(count);
  for (Tradeoff& one : all) {
    one.quality = static_cast<double>(draws.below(6));
    one.cost = static_cast<double>(draws.below(6));
  }
  return all;
}

// Removes the front of the rest again and again, as the definition says.
std::vector<std::size_t> front_numbers(const std::vector<Tradeoff>& all) {
  std::vector<std::size_t> numbers(all.size(), all.size());
  for (std::size_t number = 0, placed = 0; placed < all.size(); ++number) {
    Indices front;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (numbers[i] < number) continue;
      bool dominated = false;
      for (std::size_t j = 0; j < all.size(); ++j) dominated |= numbers[j] >= number && dominates(all[j], all[i]);
      if (!dominated) front.push_back(i);
    }
    for (const std::size_t i : front) numbers[i] = number;
    placed += front.size();
  }
  return numbers;
}

TEST(Pareto, Dominates) {
  EXPECT_TRUE(dominates({2, 1}, {1, 1}));
  EXPECT_TRUE(dominates({1, 1}, {1, 2}));
  EXPECT_FALSE(dominates({1, 1}, {1, 1}));
  EXPECT_FALSE(dominates({2, 2}, {1, 1}));
  EXPECT_FALSE(dominates({1, 1}, {2, 2}));
}

TEST(Pareto, FrontsFollowTheDefinition) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<Tradeoff> all = random_tradeoffs(seed, seed % 40);
    const std::vector<std::size_t> expected = front_numbers(all);
    const auto fronts = non_dominated_fronts(all);
    std::size_t members = 0;
    for (std::size_t number = 0; number < fronts.size(); ++number) {
      members += fronts[number].size();
      for (std::size_t k = 0; k < fronts[number].size(); ++k) {
        EXPECT_EQ(expected[fronts[number][k]], number);
        if (k > 0) {
          EXPECT_GE(all[fronts[number][k]].cost, all[fronts[number][k - 1]].cost);
        }
      }
    }
    EXPECT_EQ(members, all.size());
    EXPECT_EQ(pareto_front(all), fronts.empty() ? Indices{} : fronts[0]);
  }
}

TEST(Pareto, EqualTradeoffsShareAFront) {
  const std::vector<Tradeoff> all{{1, 1}, {2, 2}, {1, 1}, {0, 3}, {2, 2}};
  const auto fronts = non_dominated_fronts(all);
  ASSERT_EQ(fronts.size(), 2U);
  EXPECT_EQ(fronts[0], (Indices{0, 2, 1, 4}));
  EXPECT_EQ(fronts[1], (Indices{3}));
}

// Qualities 0, 1, 4, 10 and costs 0, 2, 5, 20: the second one has (4 - 0) / 10 + (5 - 0) / 20, the third one
// (10 - 1) / 10 + (20 - 2) / 20.
TEST(Pareto, CrowdingDistance) {
  const std::vector<double> distances = crowding_distances(std::vector<Tradeoff>{{10, 20}, {1, 2}, {0, 0}, {4, 5}});
  EXPECT_EQ(distances[0], INFINITY);
  EXPECT_EQ(distances[2], INFINITY);
  EXPECT_DOUBLE_EQ(distances[1], 0.4 + 0.25);
  EXPECT_DOUBLE_EQ(distances[3], 0.9 + 0.9);
  EXPECT_TRUE(crowding_distances({}).empty());
  EXPECT_EQ(crowding_distances(std::vector<Tradeoff>{{3, 3}}), std::vector<double>{INFINITY});
  // All equal: no range to divide by.
  EXPECT_EQ(crowding_distances(std::vector<Tradeoff>{{3, 3}, {3, 3}, {3, 3}}),
            (std::vector<double>{INFINITY, 0, INFINITY}));
}

// Two rectangles up to cost 10: 1 * (10 - 2) and (3 - 1) * (10 - 4). The third one is dominated; the fourth and the
// fifth one do not dominate the reference.
TEST(Pareto, Hypervolume) {
  const std::vector<Tradeoff> all{{3, 4}, {1, 2}, {2, 5}, {-1, 1}, {9, 10}};
  EXPECT_DOUBLE_EQ(hypervolume(all, {0, 10}), 8 + 12);
  EXPECT_EQ(hypervolume({}, {0, 10}), 0);
}

}  // namespace
}  // namespace effnet::search
