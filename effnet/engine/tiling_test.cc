#include "effnet/engine/tiling.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/kernels/isa.h"

namespace effnet::engine {
namespace {

TEST(Tiling, TilesCoverEveryLengthExactly) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set(isa);
    const Tiling tiling(set);
    for (std::int64_t pixels = 1; pixels <= 500; ++pixels) {
      std::int64_t left = pixels;
      int previous = set.heights[0];
      while (left > 0) {
        const std::size_t tile = tiling.first(left);
        ASSERT_LT(tile, set.heights.size());
        ASSERT_LE(set.heights[tile], left) << pixels << " " << kernels::name(isa);
        // Far from the end, whole tiles.
        if (left > 128) {
          ASSERT_EQ(tile, 0U);
        }
        left -= previous = set.heights[tile];
      }
      ASSERT_EQ(left, 0) << previous;
    }
  }
}

// Never more tiles than the greedy cut, which takes the tallest that fits, and one tile where one suffices.
TEST(Tiling, NeverWorseThanGreedy) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set(isa);
    const Tiling tiling(set);
    const auto cost = [&](std::int64_t left, auto choose) {
      double sum = 0;
      while (left > 0) {
        const int height = choose(left);
        sum += std::max(height, 4) + 0.5;
        left -= height;
      }
      return sum;
    };
    for (std::int64_t pixels = 1; pixels <= 128; ++pixels) {
      const double ours = cost(pixels, [&](std::int64_t left) { return set.heights[tiling.first(left)]; });
      const double greedy = cost(pixels, [&](std::int64_t left) {
        return *std::find_if(set.heights.begin(), set.heights.end(), [&](int height) { return height <= left; });
      });
      ASSERT_LE(ours, greedy) << pixels << " " << kernels::name(isa);
    }
    for (const int height : set.heights) EXPECT_EQ(set.heights[tiling.first(height)], height);
  }
}

}  // namespace
}  // namespace effnet::engine
