// Compares gathered windows with values that are read by simple indexing.
#include "effnet/primitives/gather.h"

#include <gtest/gtest.h>

#include <vector>

#include "effnet/base/philox.h"
#include "effnet/primitives/row_ring.h"

namespace effnet::primitives {
namespace {

using tensor::kBlock;

std::vector<float> values(std::int64_t count) {
  std::vector<float> result(static_cast<std::size_t>(count));
  Philox(5, stream_of("gather")).fill_normal(result, 0, 1);
  return result;
}

struct Geometry {
  Chw in;
  Window window;
  std::int64_t out_h, out_w, images;
};
const Geometry kGeometries[] = {
    {{16, 5, 7}, {3, 1, 1, 1}, 5, 7, 1}, {{24, 9, 6}, {3, 2, 0, 0}, 4, 3, 2}, {{32, 4, 4}, {5, 1, 2, 2}, 4, 4, 1},
    {{40, 6, 6}, {1, 2, 0, 0}, 3, 3, 2}, {{8, 3, 3}, {7, 1, 3, 3}, 3, 3, 3},  {{3, 8, 9}, {3, 2, 1, 1}, 4, 5, 2},
    {{1, 6, 5}, {5, 2, 2, 2}, 3, 3, 1},  {{7, 5, 5}, {7, 3, 3, 3}, 2, 2, 2},
};

// Returns the input value of one tap (ky, kx) of a window; 0 outside the image.
float tap(const Geometry& g, std::int64_t image, std::int64_t pixel, std::int64_t ky, std::int64_t kx, std::int64_t c,
          const std::vector<float>& hwc) {
  const std::int64_t y = pixel / g.out_w * g.window.stride - g.window.top + ky;
  const std::int64_t x = pixel % g.out_w * g.window.stride - g.window.left + kx;
  if (y < 0 || y >= g.in.h || x < 0 || x >= g.in.w || c >= g.in.c) return 0;
  return hwc[static_cast<std::size_t>(((image * g.in.h + y) * g.in.w + x) * g.in.c + c)];
}

TEST(Gather, RowsEqualPlainIndexing) {
  for (const Geometry& g : kGeometries) {
    const std::vector<float> hwc = values(g.images * g.in.numel());
    const RowSource source{hwc.data(), g.images, g.in, {1, g.out_h, g.out_w}, g.window};
    const std::int64_t all = g.images * g.out_h * g.out_w, depth = source.depth();
    for (const std::int64_t first : {std::int64_t{0}, all / 2}) {
      const std::int64_t count = all - first, block = count * kBlock;
      std::vector<float> got(static_cast<std::size_t>(tensor::blocks_of(depth) * block), -1);
      gather_rows(source, first, count, got.data(), block);
      for (std::int64_t p = 0; p < count; ++p) {
        for (std::int64_t k = 0; k < tensor::blocks_of(depth) * kBlock; ++k) {
          const std::int64_t pixel = first + p, window_tap = k / g.in.c;
          const float expected = k >= depth
                                     ? 0
                                     : tap(g, pixel / (g.out_h * g.out_w), pixel % (g.out_h * g.out_w),
                                           window_tap / g.window.kernel, window_tap % g.window.kernel, k % g.in.c, hwc);
          ASSERT_EQ(got[static_cast<std::size_t>(k / kBlock * block + p * kBlock + k % kBlock)], expected) << p << k;
        }
      }
    }
  }
}

TEST(Gather, WindowsOfBlockedTensorsEqualPlainIndexing) {
  for (const Geometry& g : kGeometries) {
    if (g.in.c < 8) continue;
    const std::vector<float> hwc = values(g.images * g.in.numel());
    GemmSource source;
    source.depth = depth_of_window(g.in.c, g.window.kernel);
    source.in = {g.images, g.in};
    source.out = {1, g.out_h, g.out_w};
    source.window = g.window;
    ASSERT_FALSE(source.in_place());
    std::vector<float> blocked(static_cast<std::size_t>(source.in.values()));
    for (std::int64_t p = 0; p < source.in.pixels(); ++p) {
      for (std::int64_t c = 0; c < g.in.c; ++c) {
        blocked[static_cast<std::size_t>(c / kBlock * source.in.block_values() + p * kBlock + c % kBlock)] =
            hwc[static_cast<std::size_t>(p * g.in.c + c)];
      }
    }
    const std::int64_t count = g.out_h * g.out_w, floats = source.depth.gemm.depth;
    for (std::int64_t image = 0; image < g.images; ++image) {
      std::vector<float> scratch(static_cast<std::size_t>(source.scratch_bytes(count)) / sizeof(float), -1);
      const GemmInput input = gemm_input(source, blocked.data(), image, 0, count, scratch.data());
      for (std::int64_t segment = 0; segment < source.depth.gemm.segments; ++segment) {
        const std::int64_t window_tap = segment / source.depth.segments_each;
        for (std::int64_t p = 0; p < count; ++p) {
          for (std::int64_t i = 0; i < floats; ++i) {
            const std::int64_t c = segment % source.depth.segments_each * floats + i;
            ASSERT_EQ(input.data[segment * input.segment_step + p * kBlock + i],
                      tap(g, image, p, window_tap / g.window.kernel, window_tap % g.window.kernel, c, hwc));
          }
        }
      }
    }
  }
}

TEST(Gather, OneByOneWindowsAreNotCopied) {
  const std::vector<float> blocked = values(2 * 6 * kBlock);
  GemmSource source;
  source.depth.gemm = depth_of_channels(20);
  source.in = {2, {20, 1, 3}};
  source.out = {20, 1, 3};
  EXPECT_EQ(source.scratch_bytes(3), 0);
  const GemmInput input = gemm_input(source, blocked.data(), 1, 1, 2, nullptr);
  EXPECT_EQ(input.data, blocked.data() + 4 * kBlock);
  EXPECT_EQ(input.segment_step, 6 * kBlock);
}

TEST(RowRing, RowsReuseSlotsAndRowsOutsideAreZeros) {
  std::vector<float> memory(3 * 4), zeros(4);
  const RowRing ring(memory.data(), 3, 4, zeros.data());
  EXPECT_EQ(ring.slot(0), memory.data());
  EXPECT_EQ(ring.slot(4), memory.data() + 4);
  EXPECT_EQ(ring.offset(5), 8);
  EXPECT_EQ(ring.row(5, 6), memory.data() + 8);
  EXPECT_EQ(ring.row(6, 6), zeros.data());
  EXPECT_EQ(ring.row(-1, 6), zeros.data());
}

}  // namespace
}  // namespace effnet::primitives
