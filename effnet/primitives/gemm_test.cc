// Compares gemm() with simple loops in double, for every instruction set of this CPU.
#include "effnet/primitives/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "effnet/base/philox.h"
#include "effnet/kernels/isa.h"

namespace effnet::primitives {
namespace {

using kernels::blocks_of;
using kernels::kBlock;

std::vector<float> values(std::string_view name, std::int64_t count) {
  std::vector<float> result(static_cast<std::size_t>(count));
  Philox(5, stream_of(name)).fill_normal(result, 0, 1);
  return result;
}

// A GEMM over all panels; input and output have the blocked layout.
struct Case {
  std::int64_t pixels, depth, channels;
  std::vector<float> input = values("input", blocks_of(depth) * pixels * kBlock);
  std::vector<float> weight = values("weight", channels* depth);  // [channel][k]
  std::vector<float> bias = values("bias", blocks_of(channels) * 2 * kBlock);
  std::vector<float> residual = values("residual", blocks_of(channels) * pixels * kBlock);

  double expected(std::int64_t p, std::int64_t n) const {
    double sum = bias[static_cast<std::size_t>(n)];
    for (std::int64_t k = 0; k < depth; ++k) {
      sum += double{input[static_cast<std::size_t>((k / kBlock * pixels + p) * kBlock + k % kBlock)]} *
             weight[static_cast<std::size_t>(n * depth + k)];
    }
    return sum + residual[static_cast<std::size_t>((n / kBlock * pixels + p) * kBlock + n % kBlock)];
  }
  // The sum of the magnitudes of all terms, which bounds the rounding error.
  double magnitude(std::int64_t p, std::int64_t n) const {
    double sum = std::abs(bias[static_cast<std::size_t>(n)]);
    for (std::int64_t k = 0; k < depth; ++k) {
      sum += std::abs(double{input[static_cast<std::size_t>((k / kBlock * pixels + p) * kBlock + k % kBlock)]} *
                      weight[static_cast<std::size_t>(n * depth + k)]);
    }
    return sum + std::abs(residual[static_cast<std::size_t>((n / kBlock * pixels + p) * kBlock + n % kBlock)]);
  }
};

std::vector<float> packed(const Case& one, const PackedShape& shape) {
  std::vector<float> matrix(static_cast<std::size_t>(shape.values()), std::numeric_limits<float>::quiet_NaN());
  for (std::int64_t i = 0; i < shape.panels(); ++i) {
    pack_panel(shape, i, matrix.data(), [&](std::int64_t k, std::int64_t channel, std::int64_t count, float* to) {
      for (std::int64_t n = 0; n < count; ++n)
        to[n] = one.weight[static_cast<std::size_t>((channel + n) * one.depth + k)];
    });
  }
  return matrix;
}

std::vector<float> run_gemm(const Case& one, const kernels::KernelSet& set, const std::vector<float>& weights,
                            bool next_weight, PrefetchQueue* queue, bool scattered) {
  const PackedMatrix matrix{weights.data(), {one.channels, one.depth, set.tile}};
  // If `scattered`, the output pixels are stored in reverse order.
  std::vector<std::int32_t> offsets;
  for (std::int64_t p = 0; p < one.pixels; ++p)
    offsets.push_back(static_cast<std::int32_t>((one.pixels - 1 - p) * kBlock));
  std::vector<float> out(static_cast<std::size_t>(blocks_of(one.channels) * one.pixels * kBlock)), residual = out;
  for (std::size_t i = 0; i < residual.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i), block = at / kBlock / one.pixels, pixel = at / kBlock % one.pixels;
    const std::int64_t target = scattered ? one.pixels - 1 - pixel : pixel;
    residual[static_cast<std::size_t>((block * one.pixels + target) * kBlock + at % kBlock)] = one.residual[i];
  }
  const TileSchedule schedule(set);
  for (std::int64_t i = 0; i < matrix.panels(); ++i) {
    GemmRun run{};
    run.input = {one.input.data(), one.pixels * kBlock};
    run.depth = depth_of_channels(one.depth);
    run.panel = matrix.panel(i);
    run.bias = one.bias.data() + run.panel.channel;
    run.out = out.data() + run.panel.channel / kBlock * one.pixels * kBlock;
    run.out_block = one.pixels * kBlock;
    run.offsets = scattered ? offsets.data() : nullptr;
    run.residual = residual.data() + run.panel.channel / kBlock * one.pixels * kBlock;
    run.prefetch.next_weight = next_weight ? matrix.panel((i + 1) % matrix.panels()).weight : nullptr;
    run.prefetch.queue = queue;
    gemm(set, schedule, run, one.pixels);
  }
  if (!scattered) return out;
  std::vector<float> ordered(out.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i), block = at / kBlock / one.pixels, pixel = at / kBlock % one.pixels;
    ordered[static_cast<std::size_t>((block * one.pixels + one.pixels - 1 - pixel) * kBlock + at % kBlock)] = out[i];
  }
  return ordered;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{{.pixels = 1, .depth = 1, .channels = 1},
                                     {.pixels = 7, .depth = 17, .channels = 9},
                                     {.pixels = 49, .depth = 40, .channels = 24},
                                     {.pixels = 113, .depth = 16, .channels = 33},
                                     {.pixels = 131, .depth = 3, .channels = 50}};
  return all;
}

// Each output is a float sum of `depth` products, a bias and a residual. Its error is at most depth + 2 roundings of
// the sum of the terms' magnitudes.
TEST(Gemm, EqualsPlainLoops) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set({isa});
    for (const Case& one : cases()) {
      SCOPED_TRACE(std::string(kernels::name(isa)) + " " + std::to_string(one.pixels) + " x " +
                   std::to_string(one.depth) + " x " + std::to_string(one.channels));
      const std::vector<float> out =
          run_gemm(one, set, packed(one, {one.channels, one.depth, set.tile}), false, nullptr, false);
      for (std::int64_t p = 0; p < one.pixels; ++p) {
        for (std::int64_t n = 0; n < one.channels; ++n) {
          const double got = out[static_cast<std::size_t>((n / kBlock * one.pixels + p) * kBlock + n % kBlock)];
          const double allowed = static_cast<double>(one.depth + 2) * 0x1p-24 * one.magnitude(p, n);
          ASSERT_NEAR(got, one.expected(p, n), allowed) << p << ", " << n;
        }
      }
    }
  }
}

// Neither prefetching nor the addresses of the outputs change the results.
TEST(Gemm, PrefetchAndOffsetsDoNotChangeBits) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set({isa});
    for (const Case& one : cases()) {
      const std::vector<float> weights = packed(one, {one.channels, one.depth, set.tile});
      const std::vector<float> plain = run_gemm(one, set, weights, false, nullptr, false);
      EXPECT_EQ(run_gemm(one, set, weights, true, nullptr, false), plain);
      PrefetchQueue queue;
      queue.add(one.input.data(), one.pixels);  // fewer lines than the tiles request
      EXPECT_EQ(run_gemm(one, set, weights, false, &queue, false), plain);
      EXPECT_EQ(run_gemm(one, set, weights, false, nullptr, true), plain);
    }
  }
}

// Panels are contiguous, and padding lanes are zeros.
TEST(PackedShape, PanelsCoverTheMatrix) {
  for (const std::int64_t panel_channels : {std::int64_t{8}, std::int64_t{16}, std::int64_t{32}}) {
    for (const std::int64_t channels : {1, 8, 9, 16, 24, 31, 32, 33, 100}) {
      const PackedShape shape{channels, 5, panel_channels};
      std::int64_t at = 0, covered = 0;
      for (std::int64_t i = 0; i < shape.panels(); ++i) {
        EXPECT_EQ(shape.offset(i), at);
        EXPECT_EQ(shape.channel(i), covered);
        EXPECT_EQ(shape.lanes(i) % 8, 0);
        at += shape.lanes(i) * shape.depth;
        covered += shape.lanes(i);
      }
      EXPECT_EQ(at, shape.values());
      EXPECT_EQ(covered, kernels::lanes_of(channels));
    }
  }
  const Case one{.pixels = 1, .depth = 3, .channels = 50};
  for (const PackedShape& shape : {PackedShape{50, 3, 32}, PackedShape{50, 3, 16}}) {
    const std::vector<float> matrix = packed(one, shape);
    for (std::int64_t i = 0; i < shape.panels(); ++i) {
      for (std::int64_t k = 0; k < shape.depth; ++k) {
        for (std::int64_t lane = 0; lane < shape.lanes(i); ++lane) {
          const std::int64_t channel = shape.channel(i) + lane;
          const float expected = channel < 50 ? one.weight[static_cast<std::size_t>(channel * 3 + k)] : 0;
          EXPECT_EQ(matrix[static_cast<std::size_t>(shape.offset(i) + k * shape.lanes(i) + lane)], expected);
        }
      }
    }
  }
}

TEST(PrefetchQueue, ReturnsEachLineOnce) {
  const std::vector<float> memory(20 * 16);
  PrefetchQueue queue;
  EXPECT_EQ(queue.take(1), nullptr);
  queue.add(memory.data(), 5);
  queue.add(memory.data() + 10 * 16, 2);
  queue.add(memory.data(), 0);
  EXPECT_EQ(queue.take(3), memory.data());
  EXPECT_EQ(queue.take(3), memory.data() + 3 * 16);
  EXPECT_EQ(queue.take(2), memory.data() + 10 * 16);
  EXPECT_EQ(queue.take(1), nullptr);
  queue.clear();
  queue.add(memory.data(), 1 << 20);
  queue.add(memory.data(), 1);  // the queue is full: ignored
  EXPECT_EQ(queue.take(1 << 20), memory.data());
  EXPECT_EQ(queue.take(1), nullptr);
}

}  // namespace
}  // namespace effnet::primitives
