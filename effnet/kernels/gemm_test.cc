// Compares every GEMM kernel of every usable instruction set with the reference.
#include <gtest/gtest.h>

#include "effnet/kernels/test_support.h"

namespace effnet::kernels {
namespace {

enum class Residual { none, separate, in_place };
constexpr const char* kResidualNames[] = {"none", "separate", "in place"};

struct Depth {
  std::int64_t segments, depth, last_depth;
  std::int64_t total() const { return (segments - 1) * depth + last_depth; }
};

struct Shape {
  std::int64_t pixels, lanes;
  Depth depth;
  Residual residual;
  std::int64_t shift;  // floats from a 64-byte boundary to a, out and residual
  Range range;
};

// The memory of one tile. There are gaps between segments, pixel rows and channel blocks. Each allocation ends with the
// last float that the kernel may access.
struct Tile {
  Shape shape;
  std::vector<std::int32_t> offsets;
  std::int64_t a_segment, out_block;
  Floats a, weight, bias, residual, out;

  Tile(const Shape& s, Operands& operands)
      : shape(s),
        offsets(offsets_of(s.pixels)),
        a_segment(kBlock * s.pixels + 32),
        out_block(offsets.back() + kBlock + 32),
        a((s.depth.segments - 1) * a_segment + kBlock * (s.pixels - 1) + s.depth.last_depth, s.shift),
        weight(s.depth.total() * s.lanes),
        bias(s.lanes, 8),  // a later tile of 8, 16 or 24 channels begins at any multiple of 8
        residual(s.residual == Residual::separate ? out_floats() : 0, s.shift),
        out(out_floats(), s.shift) {
    for (std::int64_t segment = 0; segment < s.depth.segments; ++segment) {
      for (std::int64_t p = 0; p < s.pixels; ++p) {
        const std::int64_t depth = segment + 1 < s.depth.segments ? s.depth.depth : s.depth.last_depth;
        for (std::int64_t k = 0; k < depth; ++k) a[segment * a_segment + kBlock * p + k] = operands.next();
      }
    }
    operands.fill(weight.span());
    operands.fill(bias.span());
    if (s.residual == Residual::none) return;
    for (std::int64_t p = 0; p < s.pixels; ++p) {
      for (std::int64_t n = 0; n < s.lanes; ++n) {
        (s.residual == Residual::separate ? residual : out)[index_of(p, n)] = operands.next();
      }
    }
  }

  std::int64_t index_of(std::int64_t p, std::int64_t n) const {
    return n / kBlock * out_block + offsets[static_cast<std::size_t>(p)] + n % kBlock;
  }
  GemmArgs args(const Floats& to) const {
    const float* const other = shape.residual == Residual::none       ? nullptr
                               : shape.residual == Residual::in_place ? to.data()
                                                                      : residual.data();
    return {.a = a.data(),
            .a_segment = a_segment,
            .segments = shape.depth.segments,
            .depth = shape.depth.depth,
            .last_depth = shape.depth.last_depth,
            .weight = weight.data(),
            .bias = bias.data(),
            .prefetch_address = nullptr,  // a hint: any address is allowed
            .prefetch_step = kBlock,
            .prefetch_segment_step = 1 << 20,
            .out = to.data(),
            .out_block = out_block,
            .offsets = offsets.data(),
            .residual = other,
            .low = shape.range.low,
            .high = shape.range.high};
  }

 private:
  static std::vector<std::int32_t> offsets_of(std::int64_t pixels) {
    std::vector<std::int32_t> result;
    for (std::int32_t p = 0; p < pixels; ++p) result.push_back(16 * p + 48 * (p / 3));  // image rows of 3 pixels
    return result;
  }
  std::int64_t out_floats() const {
    return (shape.lanes - 1) / kBlock * out_block + offsets.back() + (shape.lanes - 1) % kBlock + 1;
  }
};

// Returns S of the tolerance (test_support.h) for each result: the reference on absolute values, without epilogue.
Floats norms_of(const Tile& tile) {
  Tile absolute = tile;
  absolute.shape.range = kRanges[0];
  for (const Floats* operand : {&absolute.a, &absolute.weight, &absolute.bias, &absolute.residual, &absolute.out}) {
    make_absolute(operand->span());
  }
  reference::gemm(absolute.args(absolute.out), tile.shape.pixels, tile.shape.lanes, Epilogue::clamp);
  return absolute.out;
}

class GemmTest : public InstructionSetTest {
 protected:
  // Calls test(p, lanes, epilogue) for every kernel of the table.
  template <class Test>
  void for_each_kernel(Test test) const {
    for (std::int64_t lanes = 8; lanes <= set().tile; lanes += 8) {
      for (std::size_t p = set().first_height(lanes); p < set().heights.size(); ++p) {
        for (const Epilogue epilogue : kAllEpilogues) test(p, lanes, epilogue);
      }
    }
  }

  testing::AssertionResult agrees_with_reference(std::size_t p, Epilogue epilogue, const Tile& tile) const {
    const Floats norms = norms_of(tile);
    const Floats expected = tile.out;
    reference::gemm(tile.args(expected), tile.shape.pixels, tile.shape.lanes, epilogue);
    const Floats got = tile.out;
    set().gemm(p, tile.shape.lanes, epilogue)(tile.args(got));
    return agree(got, expected, norms, function_of(epilogue), tile.shape.depth.total());
  }

  std::string describe(std::size_t p, Epilogue epilogue, const Shape& s) const {
    return fmt::format("{}: segments {} of {}, last {}, residual {}, shift {} floats, range {}..{}",
                       gemm_name(set(), p, s.lanes, epilogue), s.depth.segments, s.depth.depth, s.depth.last_depth,
                       kResidualNames[static_cast<int>(s.residual)], s.shift, s.range.low, s.range.high);
  }

  Operands operands{1};
};

// Returns the depths 1..40, divided into channel blocks, and the depths of windows with rows of 9 floats (3 pixels x 3
// channels, as in a stem) and of 11 floats.
std::vector<Depth> depths() {
  std::vector<Depth> result;
  for (std::int64_t total = 1; total <= 40; ++total) {
    result.push_back({(total + 15) / 16, 16, (total + 15) % 16 + 1});
  }
  for (const std::int64_t row : {9, 11}) {
    result.push_back({3, row, row});
    result.push_back({2, row, 4});
  }
  return result;
}

TEST_P(GemmTest, AgreesWithReference) {
  // Cycles through the 3 * 2 * 4 = 24 combinations of residual, shift and range. There are 44 depths, so every kernel
  // runs all combinations.
  std::size_t variant = 0;
  for_each_kernel([&](std::size_t p, std::int64_t lanes, Epilogue epilogue) {
    for (const Depth& depth : depths()) {
      const Shape shape = {set().heights[p],
                           lanes,
                           depth,
                           static_cast<Residual>(variant % 3),
                           static_cast<std::int64_t>(variant / 3 % 2),
                           kRanges[variant / 6 % 4]};
      ++variant;
      const testing::AssertionResult result = agrees_with_reference(p, epilogue, Tile(shape, operands));
      EXPECT_TRUE(result) << describe(p, epilogue, shape);
      if (!result) return;
    }
  });
}

// Layers of 1 to 33 channels, in tiles like those of packed weights. Padding lanes have zero weights and zero bias, and
// the kernel stores zeros there.
TEST_P(GemmTest, PaddingLanesAreZero) {
  ASSERT_EQ(set().tile % kBlock, 0);  // a tile begins at a channel block
  for (std::int64_t channels = 1; channels <= 2 * kBlock + 1; ++channels) {
    for (std::int64_t first = 0; first < channels; first += set().tile) {
      const std::int64_t tile_channels = std::min(set().tile, channels - first);
      for (const Epilogue epilogue : kAllEpilogues) {
        const std::size_t p = std::max(static_cast<std::size_t>(channels) % set().heights.size(), set().wide_heights);
        const Shape shape = {set().heights[p], lanes_of(tile_channels), {2, 16, 3}, Residual::none, 0, kRanges[2]};
        Tile tile(shape, operands);
        for (std::int64_t k = 0; k < shape.depth.total(); ++k) {
          for (std::int64_t n = tile_channels; n < shape.lanes; ++n) tile.weight[k * shape.lanes + n] = 0;
        }
        for (std::int64_t n = tile_channels; n < shape.lanes; ++n) tile.bias[n] = 0;
        EXPECT_TRUE(agrees_with_reference(p, epilogue, tile))
            << channels << " channels, " << describe(p, epilogue, shape);
        const Floats got = tile.out;
        set().gemm(p, shape.lanes, epilogue)(tile.args(got));
        for (std::int64_t pixel = 0; pixel < shape.pixels; ++pixel) {
          for (std::int64_t n = tile_channels; n < shape.lanes; ++n) {
            EXPECT_EQ(got[tile.index_of(pixel, n)], 0) << channels << " channels, " << describe(p, epilogue, shape);
          }
        }
      }
    }
  }
}

// A plan chooses how a range of pixels is divided into tiles. The results must not depend on this choice.
TEST_P(GemmTest, HeightDoesNotChangeBits) {
  constexpr std::int64_t kBefore = 3;
  for_each_kernel([&](std::size_t p, std::int64_t lanes, Epilogue epilogue) {
    const std::int64_t height = set().heights[p];
    const Shape shape = {height + kBefore, lanes, {2, 16, 7}, Residual::separate, 0, kRanges[3]};
    const Tile tile(shape, operands);
    // Computes the pixels from `first` to the end in tiles of one height.
    const auto run_tiles = [&](const Floats& out, std::int64_t first, std::size_t kernel) {
      GemmArgs args = tile.args(out);
      for (std::int64_t pixel = first; pixel < shape.pixels; pixel += set().heights[kernel]) {
        args.a = tile.a.data() + kBlock * pixel;
        args.offsets = tile.offsets.data() + pixel;
        set().gemm(kernel, lanes, epilogue)(args);
      }
    };
    const Floats one_by_one = tile.out, in_tiles = tile.out;
    run_tiles(one_by_one, 0, set().heights.size() - 1);
    run_tiles(in_tiles, 0, set().heights.size() - 1);
    for (std::int64_t pixel = kBefore; pixel < shape.pixels; ++pixel) {
      for (std::int64_t n = 0; n < lanes; ++n) in_tiles[tile.index_of(pixel, n)] = kUntouched;
    }
    run_tiles(in_tiles, kBefore, p);
    EXPECT_TRUE(same_bits(in_tiles.span(), one_by_one.span())) << describe(p, epilogue, shape);
  });
}

// A NaN in an operand reaches exactly the results that depend on it, with every epilogue.
TEST_P(GemmTest, NanReachesExactlyTheDependentOutputs) {
  for_each_kernel([&](std::size_t p, std::int64_t lanes, Epilogue epilogue) {
    const std::int64_t height = set().heights[p];
    const Shape shape = {height, lanes, {2, 16, 5}, Residual::separate, 0, kRanges[2]};
    const std::int64_t bad_pixel = height / 2, bad_lane = lanes - 2;
    const Tile clean(shape, operands);
    const Floats expected = clean.out;
    const GemmFn run = set().gemm(p, lanes, epilogue);
    run(clean.args(expected));
    for (const char* where : {"a", "weight", "bias", "residual"}) {
      const Tile tile = clean;
      const std::string_view operand = where;
      if (operand == "a") tile.a[tile.a_segment + kBlock * bad_pixel + 2] = kNan;
      if (operand == "weight") tile.weight[18 * lanes + bad_lane] = kNan;
      if (operand == "bias") tile.bias[bad_lane] = kNan;
      if (operand == "residual") tile.residual[tile.index_of(bad_pixel, bad_lane)] = kNan;
      run(tile.args(tile.out));
      for (std::int64_t pixel = 0; pixel < height; ++pixel) {
        for (std::int64_t n = 0; n < lanes; ++n) {
          const bool on_pixel = pixel == bad_pixel, on_lane = n == bad_lane;
          const bool bad = operand == "a" ? on_pixel : operand == "residual" ? on_pixel && on_lane : on_lane;
          const float got = tile.out[tile.index_of(pixel, n)];
          EXPECT_TRUE(bad ? std::isnan(got) : bits(got) == bits(expected[tile.index_of(pixel, n)]))
              << "NaN in " << where << ": pixel " << pixel << " lane " << n << " is " << got << "; "
              << describe(p, epilogue, shape);
        }
      }
    }
  });
}

// The sum before the epilogue is zero, a denormal, a kink of a function, a large magnitude or infinite.
TEST_P(GemmTest, ExtremeSumsAgreeWithReference) {
  for_each_kernel([&](std::size_t p, std::int64_t lanes, Epilogue epilogue) {
    for (std::size_t first = 0; first < std::size(kExtremes); first += static_cast<std::size_t>(lanes)) {
      const Shape shape = {set().heights[p], lanes, {1, 16, 1}, Residual::none, 0, kRanges[first % 3]};
      const Tile tile(shape, operands);
      std::ranges::fill(tile.weight.span(), 0.0F);
      for (std::int64_t n = 0; n < lanes; ++n) {
        tile.bias[n] = kExtremes[(first + static_cast<std::size_t>(n)) % std::size(kExtremes)];
      }
      set().gemm(p, lanes, epilogue)(tile.args(tile.out));
      for (std::int64_t n = 0; n < lanes; ++n) {
        const auto expected =
            static_cast<float>(reference::epilogue(epilogue, tile.bias[n], shape.range.low, shape.range.high));
        for (std::int64_t pixel = 0; pixel < shape.pixels; ++pixel) {
          EXPECT_TRUE(agree_at(tile.bias[n], tile.out[tile.index_of(pixel, n)], expected, function_of(epilogue)))
              << "lane " << n << " pixel " << pixel << "; " << describe(p, epilogue, shape);
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Sets, GemmTest, testing::ValuesIn(usable_sets()), isa_name);

}  // namespace
}  // namespace effnet::kernels
