#include "effnet/primitives/tile_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/kernels/isa.h"

namespace effnet::primitives {
namespace {

TEST(TileSchedule, TilesCoverEveryLengthExactly) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set({isa});
    const TileSchedule schedule(set);
    for (const std::int64_t lanes : {std::int64_t{8}, set.tile}) {
      const std::size_t tallest = set.first_height(lanes);
      for (std::int64_t pixels = 1; pixels <= 500; ++pixels) {
        std::int64_t left = pixels;
        while (left > 0) {
          const std::size_t tile = schedule.next(left, lanes);
          ASSERT_LT(tile, set.heights.size());
          ASSERT_GE(tile, tallest) << pixels << " x " << lanes << " " << kernels::name(isa);
          ASSERT_LE(set.heights[tile], left) << pixels << " x " << lanes << " " << kernels::name(isa);
          // While more than 128 pixels are left, the tile is the tallest one.
          if (left > 128) {
            ASSERT_EQ(tile, tallest);
          }
          left -= set.heights[tile];
        }
        ASSERT_EQ(left, 0);
      }
    }
  }
}

// The cost is at most that of the greedy schedule, which always takes the tallest tile that fits. If one tile covers
// all pixels, the schedule uses one tile.
TEST(TileSchedule, CostsAtMostAsMuchAsGreedy) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set({isa});
    const TileSchedule schedule(set);
    const auto cost = [&](std::int64_t left, auto choose) {
      double sum = 0;
      while (left > 0) {
        const int height = choose(left);
        sum += std::max(height, 4) + 0.5;
        left -= height;
      }
      return sum;
    };
    for (const std::int64_t lanes : {std::int64_t{8}, set.tile}) {
      const auto heights = set.heights.subspan(set.first_height(lanes));
      for (std::int64_t pixels = 1; pixels <= 128; ++pixels) {
        const double ours = cost(pixels, [&](std::int64_t left) { return set.heights[schedule.next(left, lanes)]; });
        const double greedy = cost(pixels, [&](std::int64_t left) {
          return *std::find_if(heights.begin(), heights.end(), [&](int height) { return height <= left; });
        });
        ASSERT_LE(ours, greedy) << pixels << " x " << lanes << " " << kernels::name(isa);
      }
      for (const int height : heights) EXPECT_EQ(set.heights[schedule.next(height, lanes)], height);
    }
  }
}

}  // namespace
}  // namespace effnet::primitives
