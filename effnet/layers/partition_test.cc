#include "effnet/layers/partition.h"

#include <gtest/gtest.h>

#include "effnet/kernels/isa.h"

namespace effnet::layers {
namespace {

// Segments cover the pixels of every image once and in order; chunks cover every segment once and in order. A chunk
// fits in the cache or is one tile.
TEST(Partition, CoversEveryPixelOnceInChunksThatFitTheCache) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set({isa});
    for (const std::int64_t images : {1, 2, 9, 33}) {
      for (const std::int64_t pixels : {1, 4, 49, 196, 197, 3136, 12544}) {
        for (const std::int64_t floats : {16, 240, 3000, 100000}) {
          const Partition parts = partition(set, images, pixels, floats);
          SCOPED_TRACE(testing::Message() << images << " images of " << pixels << " pixels, " << floats << " floats");
          std::int64_t next = 0, segment = 0, longest_chunk = 0;
          for (const Chunk& chunk : parts.chunks) {
            ASSERT_EQ(chunk.first, next);
            ASSERT_EQ(chunk.segment, segment);
            ASSERT_TRUE(chunk.pixels <= set.tallest() || chunk.pixels * floats * 4 <= set.cache_bytes);
            for (; segment < chunk.segment + chunk.segments; ++segment) {
              const Segment& own = parts.segments[static_cast<std::size_t>(segment)];
              ASSERT_EQ(own.first, next);
              ASSERT_EQ(own.image, next / pixels);
              ASSERT_EQ(own.image, (next + own.pixels - 1) / pixels);
              next += own.pixels;
            }
            ASSERT_EQ(next - chunk.first, chunk.pixels);
            longest_chunk = std::max(longest_chunk, chunk.pixels);
          }
          ASSERT_EQ(next, images * pixels);
          ASSERT_EQ(next, parts.total_pixels());
          ASSERT_EQ(segment, static_cast<std::int64_t>(parts.segments.size()));
          ASSERT_EQ(longest_chunk, parts.longest_chunk);
        }
      }
    }
  }
}

}  // namespace
}  // namespace effnet::layers
