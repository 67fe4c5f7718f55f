#include "effnet/engine/plan/arena.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace effnet::engine {
namespace {

bool live_together(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

void expect_sound(const std::vector<Lifetime>& buffers, const Arena& arena) {
  ASSERT_EQ(arena.offsets.size(), buffers.size());
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    ASSERT_EQ(arena.offsets[i] % 64, 0);
    ASSERT_GE(arena.offsets[i], 0);
    ASSERT_LE(arena.offsets[i] + buffers[i].bytes, arena.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (!live_together(buffers[i], buffers[j])) continue;
      ASSERT_TRUE(arena.offsets[i] + buffers[i].bytes <= arena.offsets[j] ||
                  arena.offsets[j] + buffers[j].bytes <= arena.offsets[i])
          << i << " and " << j;
    }
  }
}

// Returns the largest number of bytes that are alive at the same time. Each buffer is rounded up to the alignment.
std::int64_t least_bytes(const std::vector<Lifetime>& buffers) {
  std::int64_t most = 0;
  for (const Lifetime& at : buffers) {
    std::int64_t sum = 0;
    for (const Lifetime& other : buffers) {
      if (other.first <= at.first && at.first <= other.last) sum += (other.bytes + 63) / 64 * 64;
    }
    most = std::max(most, sum);
  }
  return most;
}

TEST(Arena, EmptyAndSingle) {
  EXPECT_EQ(place({}).bytes, 0);
  const Arena arena = place({{100, 0, 0}});
  EXPECT_THAT(arena.offsets, testing::ElementsAre(0));
  EXPECT_EQ(arena.bytes, 100);
}

// The input and the output of a step are both alive during the step, so they must not overlap. The buffer after that
// may reuse the memory of the input.
TEST(Arena, AChainNeedsMemoryForTwoBuffers) {
  const std::vector<Lifetime> chain{{64, 0, 1}, {64, 1, 2}, {64, 2, 3}, {64, 3, 4}};
  const Arena arena = place(chain);
  expect_sound(chain, arena);
  EXPECT_EQ(arena.bytes, 128);
}

TEST(Arena, NoTwoLiveBuffersOverlap) {
  std::mt19937 random(5);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<Lifetime> buffers(static_cast<std::size_t>(1 + below(60)));
    for (Lifetime& buffer : buffers) {
      buffer.bytes = below(3) == 0 ? 1 + below(20) : 1 + below(5000);  // includes equal and odd sizes
      buffer.first = below(40);
      buffer.last = below(12) == 0 ? std::numeric_limits<std::int64_t>::max() : buffer.first + below(6);
    }
    const Arena arena = place(buffers);
    expect_sound(buffers, arena);
    // place() does not guarantee this bound, but a placement that never reuses memory would need far more.
    EXPECT_LE(arena.bytes, 2 * least_bytes(buffers));
  }
}

}  // namespace
}  // namespace effnet::engine
