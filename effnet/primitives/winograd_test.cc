// Compares the whole computation (input transform, one GEMM per position, output transform) with simple loops of the
// convolution in double.
#include "effnet/primitives/winograd.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "effnet/primitives/gemm.h"

namespace effnet::primitives {
namespace {

using kernels::kBlock;

float pseudo_random(std::size_t i) { return static_cast<float>((i * 7919 + 13) % 2003) / 1001.5F - 1; }

struct Case {
  std::int64_t images, depth, channels;
  Size in;
  std::int64_t padding;  // on every side
};

class Convolution {
 public:
  explicit Convolution(const Case& one)
      : case_(one),
        tiles_{{one.images, {one.depth, one.in.h, one.in.w}},
               {one.images, {one.channels, one.in.h + 2 * one.padding - 2, one.in.w + 2 * one.padding - 2}},
               one.padding,
               one.padding},
        input_(static_cast<std::size_t>(tiles_.in.values())),
        residual_(static_cast<std::size_t>(tiles_.out.values())),
        weight_(static_cast<std::size_t>(one.channels * one.depth * 9)),
        scale_(static_cast<std::size_t>(one.channels)),
        bias_(static_cast<std::size_t>(tiles_.out.blocks() * kBlock)) {
    for (std::size_t i = 0; i < input_.size(); ++i) input_[i] = pseudo_random(i);
    for (std::size_t i = 0; i < residual_.size(); ++i) residual_[i] = pseudo_random(i + 77);
    for (std::size_t i = 0; i < weight_.size(); ++i) weight_[i] = pseudo_random(i + 1234);
    for (std::size_t i = 0; i < scale_.size(); ++i) scale_[i] = 1.0 / 3 + static_cast<double>(i);
    for (std::size_t i = 0; i < bias_.size(); ++i) bias_[i] = pseudo_random(i + 99);
  }

  const WinogradTiles& tiles() const { return tiles_; }

  // Computes the convolution with `range` tiles at a time.
  std::vector<float> run(const kernels::KernelSet& set, std::int64_t range) const {
    const TileSchedule schedule(set);
    const PackedShape shape{case_.channels, case_.depth, set.tile};
    std::vector<float> packed(static_cast<std::size_t>(kWinogradPositions * shape.values()));
    pack_winograd(shape, weight_, scale_, packed.data());
    const std::vector<float> zeros(static_cast<std::size_t>(std::max(case_.in.w * kBlock, set.tile)));
    std::vector<float> out(residual_.size());
    const std::int64_t in_blocks = tiles_.in.blocks(), panel_blocks = (set.tile + kBlock - 1) / kBlock;
    std::vector<float> inputs(static_cast<std::size_t>(kWinogradPositions * in_blocks * range * kBlock));
    std::vector<float> products(static_cast<std::size_t>(kWinogradPositions * panel_blocks * range * kBlock));
    for (std::int64_t first = 0; first < tiles_.count(); first += range) {
      const std::int64_t count = std::min(range, tiles_.count() - first);
      winograd_input(set, tiles_, input_.data(), zeros.data(), first, count, inputs.data());
      for (std::int64_t i = 0; i < shape.panels(); ++i) {
        GemmRun gemm_run{};
        gemm_run.depth = depth_of_channels(case_.depth);
        gemm_run.bias = zeros.data();
        gemm_run.out_block = count * kBlock;
        for (std::int64_t position = 0; position < kWinogradPositions; ++position) {
          gemm_run.input = {inputs.data() + position * in_blocks * count * kBlock, count * kBlock};
          gemm_run.panel = PackedMatrix{packed.data() + position * shape.values(), shape}.panel(i);
          gemm_run.out = products.data() + position * panel_blocks * count * kBlock;
          gemm(set, schedule, gemm_run, count);
        }
        for (std::int64_t b = 0; b * kBlock < shape.lanes(i); ++b) {
          const std::int64_t block = shape.channel(i) / kBlock + b;
          winograd_output(set, tiles_,
                          {.in = products.data() + b * count * kBlock,
                           .position = panel_blocks * count * kBlock,
                           .bias = bias_.data() + block * kBlock,
                           .activation = {},
                           .out = out.data() + block * tiles_.out.block_values(),
                           .residual = residual_.data() + block * tiles_.out.block_values()},
                          first, count);
        }
      }
    }
    return out;
  }

  std::size_t index_of(std::int64_t image, std::int64_t c, std::int64_t y, std::int64_t x) const {
    const Chw& chw = tiles_.out.chw;
    return static_cast<std::size_t>(c / kBlock * tiles_.out.block_values() +
                                    ((image * chw.h + y) * chw.w + x) * kBlock + c % kBlock);
  }

  struct Expected {
    double value, tolerance;
  };
  // Roundings of a product: 2 in the input transform (one per direction), 1 in the weight transform, `depth` in the
  // sum, 4 in the output transform, 1 for the bias and 1 for the residual. The error is at most depth + 9 roundings of
  // the sum of magnitudes. This sum is at most 9 * 4 * (the sum of magnitudes of each 3x3 window): an output has 9
  // positions, a transformed input at most 4 terms, and a transformed weight is at most the window's sum of magnitudes.
  Expected expected(std::int64_t image, std::int64_t channel, std::int64_t y, std::int64_t x) const {
    const auto c = static_cast<std::size_t>(channel);
    double sum = 0, magnitude = 0;
    for (std::int64_t k = 0; k < case_.depth; ++k) {
      double window = 0;
      for (std::int64_t tap = 0; tap < 9; ++tap) {
        const double weight = weight_[static_cast<std::size_t>((channel * case_.depth + k) * 9 + tap)] * scale_[c];
        window += std::abs(weight);
        const std::int64_t row = y + tap / 3 - case_.padding, column = x + tap % 3 - case_.padding;
        if (row < 0 || row >= case_.in.h || column < 0 || column >= case_.in.w) continue;
        sum +=
            weight *
            input_[static_cast<std::size_t>(k / kBlock * tiles_.in.block_values() +
                                            ((image * case_.in.h + row) * case_.in.w + column) * kBlock + k % kBlock)];
      }
      magnitude += 9 * 4 * window;  // inputs are at most 1
    }
    const double more = double{bias_[c]} + residual_[index_of(image, channel, y, x)];
    return {sum + more, static_cast<double>(case_.depth + 9) * 0x1p-24 * (magnitude + 2)};
  }

 private:
  Case case_;
  WinogradTiles tiles_;
  std::vector<float> input_, residual_, weight_;
  std::vector<double> scale_;
  std::vector<float> bias_;
};

constexpr Case kCases[] = {{.images = 1, .depth = 32, .channels = 32, .in = {8, 8}, .padding = 1},
                           {.images = 2, .depth = 17, .channels = 41, .in = {7, 5}, .padding = 1},
                           {.images = 3, .depth = 40, .channels = 9, .in = {5, 12}, .padding = 0},
                           {.images = 1, .depth = 1, .channels = 1, .in = {1, 1}, .padding = 1}};

TEST(Winograd, EqualsTheConvolution) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    for (const Case& one : kCases) {
      SCOPED_TRACE(std::string(kernels::name(isa)) + " " + std::to_string(one.depth));
      const Convolution convolution(one);
      const std::vector<float> out = convolution.run(kernels::kernel_set({isa}), convolution.tiles().count());
      const Chw& chw = convolution.tiles().out.chw;
      for (std::int64_t image = 0; image < one.images; ++image) {
        for (std::int64_t c = 0; c < chw.c; ++c) {
          for (std::int64_t y = 0; y < chw.h; ++y) {
            for (std::int64_t x = 0; x < chw.w; ++x) {
              const Convolution::Expected expected = convolution.expected(image, c, y, x);
              ASSERT_NEAR(out[convolution.index_of(image, c, y, x)], expected.value, expected.tolerance)
                  << image << ", " << c << ", " << y << ", " << x;
            }
          }
        }
      }
    }
  }
}

TEST(Winograd, RangeSizeDoesNotChangeBits) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const kernels::KernelSet& set = kernels::kernel_set({isa});
    for (const Case& one : kCases) {
      const Convolution convolution(one);
      const std::vector<float> whole = convolution.run(set, convolution.tiles().count());
      for (const std::int64_t range : {1, 3, 7}) EXPECT_EQ(convolution.run(set, range), whole) << range;
    }
  }
}

}  // namespace
}  // namespace effnet::primitives
