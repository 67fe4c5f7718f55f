// Compares Winograd's transforms of every usable instruction set with the reference, and the whole computation (both
// transforms and the multiplication between them) with the convolution.
//
// Tolerances: tolerance() allows gamma(n + 3), which is n + 3 roundings. A result of the input transform has 3
// roundings: 2 additions (one per direction) and the reference's rounding; so n = 0. A result of the output transform
// has 7 roundings: 4 additions, the bias, the residual and the reference's rounding; so n = 4.
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "effnet/kernels/test_support.h"

namespace effnet::kernels {
namespace {

constexpr std::int64_t kInputTerms = 0;
constexpr std::int64_t kOutputTerms = 4;

constexpr std::int64_t tiles_of(std::int64_t outputs) { return (outputs + 1) / 2; }

struct InputShape {
  std::int64_t width, x, tiles;
  std::int64_t above, below;  // number of rows outside the image; all of them point to the same row of zeros
  std::int64_t shift;         // floats from a 64-byte boundary to rows and out
  std::int64_t guard;         // kUntouched pixels on both sides of a row; 0: the row is the whole allocation
  std::int64_t gap;           // floats between positions

  std::string describe() const {
    return fmt::format("width {}, x {}, tiles {}, rows above {}, below {}, shift {}, guard {}, gap {}", width, x, tiles,
                       above, below, shift, guard, gap);
  }
};

struct Input {
  InputShape shape;
  std::vector<Floats> rows;
  Floats zeros, out;

  Input(const InputShape& s, Operands& operands)
      : shape(s), zeros(s.width * kBlock, s.shift), out(15 * (s.tiles * kBlock + s.gap) + s.tiles * kBlock, s.shift) {
    make_zero(zeros);
    for (int r = 0; r < 4; ++r) {
      rows.emplace_back((s.width + 2 * s.guard) * kBlock, s.shift);
      for (std::int64_t i = 0; i < s.width * kBlock; ++i) rows.back()[s.guard * kBlock + i] = operands.next();
    }
  }
  static void make_zero(const Floats& to) { std::fill(to.span().begin(), to.span().end(), 0.0F); }

  float& at(std::size_t row, std::int64_t pixel, std::int64_t lane) const {
    return rows[row][(shape.guard + pixel) * kBlock + lane];
  }
  WinogradInputArgs args() const {
    WinogradInputArgs args{};
    for (std::int64_t r = 0; r < 4; ++r) {
      const bool outside = r < shape.above || r >= 4 - shape.below;
      args.rows[r] = outside ? zeros.data() : &at(static_cast<std::size_t>(r), 0, 0);
    }
    args.width = shape.width;
    args.x = shape.x;
    args.tiles = shape.tiles;
    args.out = out.data();
    args.position = shape.tiles * kBlock + shape.gap;
    return args;
  }
};

enum class Residual { none, own, in_place };

struct OutputShape {
  std::int64_t tiles, width;
  bool second;  // whether the lower row is inside the image
  Residual residual;
  std::int64_t shift, gap;
  Range range;
  std::int64_t written() const { return std::min(width, 2 * tiles); }  // pixels

  std::string describe() const {
    return fmt::format("tiles {}, width {}, second row {}, residual {}, shift {}, gap {}, range {}..{}", tiles, width,
                       second, static_cast<int>(residual), shift, gap, range.low, range.high);
  }
};

// The memory of a row ends after the last output; if the image has more columns, it ends one pixel later.
struct Output {
  OutputShape shape;
  Floats in, bias;
  std::vector<Floats> rows, residuals;

  Output(const OutputShape& s, Operands& operands)
      : shape(s), in(15 * (s.tiles * kBlock + s.gap) + s.tiles * kBlock, s.shift), bias(kBlock, s.shift) {
    for (std::int64_t i = 0; i < 16; ++i) {
      operands.fill(in.span().subspan(static_cast<std::size_t>(i * position()), tile_floats()));
    }
    operands.fill(bias.span());
    for (int r = 0; r < 2; ++r) {
      rows.emplace_back((s.written() + (s.width > s.written() ? 1 : 0)) * kBlock, s.shift);
      residuals.emplace_back(s.written() * kBlock, s.shift);
      operands.fill(residuals.back().span());
      if (s.residual != Residual::in_place || (r == 1 && !s.second)) continue;
      std::copy(residuals.back().span().begin(), residuals.back().span().end(), rows.back().span().begin());
    }
  }
  std::int64_t position() const { return shape.tiles * kBlock + shape.gap; }
  std::size_t tile_floats() const { return static_cast<std::size_t>(shape.tiles * kBlock); }

  WinogradOutputArgs args() const {
    WinogradOutputArgs args{};
    args.in = in.data();
    args.position = position();
    args.tiles = shape.tiles;
    args.bias = bias.data();
    const std::vector<Floats>& from = shape.residual == Residual::in_place ? rows : residuals;
    for (std::size_t r = 0; r < 2; ++r) {
      args.rows[r] = rows[r].data();
      args.residual[r] = shape.residual == Residual::none ? nullptr : from[r].data();
    }
    if (!shape.second) {
      args.rows[1] = nullptr;
      if (args.residual[1] != nullptr)
        args.residual[1] += from[1].size();  // beyond its memory, so that the sanitizer detects a read
    }
    args.width = shape.width;
    args.low = shape.range.low;
    args.high = shape.range.high;
    return args;
  }
};

class WinogradTest : public InstructionSetTest {
 protected:
  void run(const Input& input) const { set().winograd_input(input.args()); }
  void run(const Output& output, Epilogue epilogue) const { run(output.args(), epilogue); }
  void run(const WinogradOutputArgs& args, Epilogue epilogue) const {
    set().winograd_output[static_cast<int>(epilogue)](args);
  }
  std::string describe(const OutputShape& shape, Epilogue epilogue) const {
    return fmt::format("{} {}: {}", name(GetParam()), name(epilogue), shape.describe());
  }

  Operands operands{5};
};

TEST_P(WinogradTest, InputAgreesWithReference) {
  std::int64_t variant = 0;  // selects the other members of InputShape
  for (std::int64_t width = 1; width <= 17; ++width) {
    const std::int64_t all = tiles_of(width);
    for (const auto& [x, tiles] : {std::pair{std::int64_t{-1}, all},
                                   {0, all},
                                   {0, tiles_of(std::max<std::int64_t>(1, width - 2))},
                                   {-3, all + 2},
                                   {3, all},
                                   {width - 1, 2}}) {
      for (std::int64_t above = 0; above < 2; ++above) {
        for (std::int64_t below = 0; below < 4; ++below, ++variant) {
          const InputShape shape = {width, x, tiles, above, below, variant % 2, variant / 2 % 2, variant % 3 * 11};
          const Input input(shape, operands);
          const Input expected = input, norms = input;
          reference::winograd_input(expected.args());
          reference::winograd_input(norms.args(), true);
          run(input);
          ASSERT_TRUE(agree(input.out, expected.out, norms.out, Function::clamp, kInputTerms)) << shape.describe();
        }
      }
    }
  }
}

TEST_P(WinogradTest, OutputAgreesWithReference) {
  std::int64_t variant = 0;
  for (const Epilogue epilogue : kAllEpilogues) {
    for (std::int64_t width = 1; width <= 17; ++width) {
      for (const std::int64_t tiles : {tiles_of(width), tiles_of(tiles_of(width))}) {
        for (const bool second : {true, false}) {
          for (const Residual residual : {Residual::none, Residual::own, Residual::in_place}) {
            const OutputShape shape = {
                tiles, width, second, residual, variant % 2, variant % 3 * 11, kRanges[variant % 4]};
            ++variant;
            const Output output(shape, operands);
            const Output expected = output, norms = output;
            reference::winograd_output(expected.args(), epilogue);
            reference::winograd_output(norms.args(), epilogue, true);
            run(output, epilogue);
            for (std::size_t r = 0; r < 2; ++r) {
              ASSERT_TRUE(agree(output.rows[r], expected.rows[r], norms.rows[r], function_of(epilogue), kOutputTerms))
                  << "row " << r << "; " << describe(shape, epilogue);
            }
          }
        }
      }
    }
  }
}

// A tile has the same bits whether it is computed alone, in a part of the row, or in the whole row.
TEST_P(WinogradTest, SplittingARowKeepsTheBits) {
  constexpr std::int64_t kWidth = 13, kTiles = tiles_of(kWidth);
  const Input input({kWidth, -1, kTiles, 0, 0, 0, 0, 0}, operands);
  run(input);
  for (const Epilogue epilogue : kAllEpilogues) {
    const Output output({kTiles, kWidth, true, Residual::own, 0, 0, kRanges[3]}, operands);
    run(output, epilogue);
    for (std::int64_t first = 0; first < kTiles; ++first) {
      for (std::int64_t tiles = 1; first + tiles <= kTiles; ++tiles) {
        const std::int64_t at = first * kBlock, pixels = std::min(2 * tiles, kWidth - 2 * first);
        SCOPED_TRACE(fmt::format("{} tiles from {}, {}", tiles, first, name(epilogue)));
        WinogradInputArgs in = input.args();
        const Floats transformed(16 * tiles * kBlock);
        in.x += 2 * first;
        in.tiles = tiles;
        in.out = transformed.data();
        in.position = tiles * kBlock;
        set().winograd_input(in);
        for (std::int64_t i = 0; i < 16; ++i) {
          const auto part = transformed.span().subspan(static_cast<std::size_t>(i * in.position));
          const auto whole = input.out.span().subspan(static_cast<std::size_t>(i * kTiles * kBlock + at));
          ASSERT_TRUE(same_bits(part, whole.first(static_cast<std::size_t>(in.position))));
        }

        WinogradOutputArgs out = output.args();
        const Floats rows[2] = {Floats(pixels * kBlock), Floats(pixels * kBlock)};
        out.in += at;
        out.tiles = tiles;
        out.width -= 2 * first;
        for (std::size_t r = 0; r < 2; ++r) {
          out.rows[r] = rows[r].data();
          out.residual[r] += 2 * at;
        }
        run(out, epilogue);
        for (std::size_t r = 0; r < 2; ++r) {
          ASSERT_TRUE(
              same_bits(rows[r].span(),
                        output.rows[r].span().subspan(static_cast<std::size_t>(2 * at)).first(rows[r].span().size())));
        }
      }
    }
  }
}

// Checks that `got` is NaN where `expected` is NaN, and has the bits of `clean` elsewhere. Adds the number of NaNs to
// nan_count.
testing::AssertionResult nan_agrees(const Floats& got, const Floats& clean, const Floats& expected,
                                    std::int64_t& nan_count) {
  for (std::int64_t i = 0; i < got.size(); ++i) {
    if (std::isnan(expected[i])) ++nan_count;
    if (std::isnan(expected[i]) ? std::isnan(got[i]) : bits(got[i]) == bits(clean[i])) continue;
    return testing::AssertionFailure() << fmt::format("float {}: got {}, without NaN {}, expected {}", i, got[i],
                                                      clean[i], expected[i]);
  }
  return testing::AssertionSuccess();
}

TEST_P(WinogradTest, NanReachesExactlyTheDependentOutputs) {
  const Input clean({11, -1, 6, 0, 0, 0, 0, 0}, operands);
  run(clean);
  for (std::size_t row = 0; row < 4; ++row) {
    for (const std::int64_t pixel : {0, 3, 4, 10}) {
      const Input bad = clean;
      bad.at(row, pixel, 13) = kNan;
      const Input expected = bad;
      run(bad);
      reference::winograd_input(expected.args());
      std::int64_t nan_count = 0;
      EXPECT_TRUE(nan_agrees(bad.out, clean.out, expected.out, nan_count)) << "row " << row << ", pixel " << pixel;
      // In each direction, an outer row or column of a tile (0 or 3) enters one position, an inner one (1 or 2) enters
      // three. A pixel is in an outer column of one tile and in an inner column of the next tile: 1 + 3 = 4 positions.
      // Pixel 0 is only in an inner column of one tile: 3 positions.
      EXPECT_EQ(nan_count, (row == 0 || row == 3 ? 1 : 3) * (pixel == 0 ? 3 : 4))
          << "row " << row << ", pixel " << pixel;
    }
  }

  for (const Epilogue epilogue : kAllEpilogues) {
    for (const Residual residual : {Residual::none, Residual::own}) {
      const Output good({3, 5, true, residual, 0, 0, kRanges[2]}, operands);
      const Output start = good;
      run(good, epilogue);
      for (std::int64_t i = 0; i < 16; ++i) {
        const Output bad = start;
        bad.in[i * bad.position() + kBlock + 6] = kNan;
        const Output expected = bad;
        run(bad, epilogue);
        reference::winograd_output(expected.args(), epilogue);
        std::int64_t nan_count = 0;
        for (std::size_t r = 0; r < 2; ++r) {
          EXPECT_TRUE(nan_agrees(bad.rows[r], good.rows[r], expected.rows[r], nan_count))
              << "position " << i << ", row " << r << "; " << describe(bad.shape, epilogue);
        }
        const auto outputs_of = [](std::int64_t at) { return at == 0 || at == 3 ? 1 : 2; };  // outputs per direction
        EXPECT_EQ(nan_count, outputs_of(i / 4) * outputs_of(i % 4)) << "position " << i;
      }
    }
  }
}

TEST_P(WinogradTest, ExtremeSumsAgreeWithReference) {
  for (const Epilogue epilogue : kAllEpilogues) {
    for (std::size_t first = 0; first < std::size(kExtremes); first += kBlock) {
      const Output output({2, 3, true, Residual::none, 0, 0, kRanges[first % 3]}, operands);
      Input::make_zero(output.in);
      for (std::size_t lane = 0; lane < kBlock; ++lane) {
        output.bias[static_cast<std::int64_t>(lane)] = kExtremes[(first + lane) % std::size(kExtremes)];
      }
      run(output, epilogue);
      for (const Floats& row : output.rows) {
        for (std::int64_t i = 0; i < row.size(); ++i) {
          const float x = output.bias[i % kBlock];
          const auto expected =
              static_cast<float>(reference::epilogue(epilogue, x, output.shape.range.low, output.shape.range.high));
          EXPECT_TRUE(agree_at(x, row[i], expected, function_of(epilogue)))
              << "float " << i << "; " << describe(output.shape, epilogue);
        }
      }
    }
  }
}

// ---- Compares the whole computation (input transform, multiplication, output transform) with the convolution in
// double. Each of the 16 lanes is a channel with its own 3x3 weights.
//
// Roundings of a term: 2 in the input transform, 1 when the transformed weight is stored, 1 product, 4 in the output
// transform, 1 for the bias; together 9. So |error| <= gamma(9) * S, where S is the result of the same three steps on
// absolute values. The reference also rounds S, so the test allows gamma(10). S is about seven times the sum of |g| |d|
// of the convolution: this is the loss of accuracy of Winograd's algorithm.
struct Image {
  std::int64_t h, w, padding;
  std::int64_t out_h() const { return h + 2 * padding - 2; }
  std::int64_t out_w() const { return w + 2 * padding - 2; }
};
using Weights = std::array<reference::Square<3>, kBlock>;

double convolution(const Image& p, const Floats& d, const reference::Square<3>& g, std::int64_t y, std::int64_t x,
                   std::int64_t lane) {
  double sum = 0;
  for (std::int64_t ky = 0; ky < 3; ++ky) {
    for (std::int64_t kx = 0; kx < 3; ++kx) {
      const std::int64_t row = y + ky - p.padding, column = x + kx - p.padding;
      if (row < 0 || row >= p.h || column < 0 || column >= p.w) continue;
      sum += g[static_cast<std::size_t>(ky)][static_cast<std::size_t>(kx)] * d[(row * p.w + column) * kBlock + lane];
    }
  }
  return sum;
}

// Multiplies in[position][tile][lane] by the transformed weight; with `magnitudes`, by the sum of the magnitudes of the
// weight's terms.
void multiply(const Floats& in, std::int64_t tiles, const Weights& weights, bool magnitudes) {
  for (std::size_t lane = 0; lane < kBlock; ++lane) {
    const reference::Square<4> u = reference::transform(reference::kWinogradWeight, weights[lane], magnitudes);
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::int64_t t = 0; t < tiles; ++t) {
        in[(static_cast<std::int64_t>(i) * tiles + t) * kBlock + static_cast<std::int64_t>(lane)] *=
            static_cast<float>(u[i / 4][i % 4]);
      }
    }
  }
}

TEST_P(WinogradTest, EqualsTheConvolution) {
  for (const Image& p : {Image{13, 11, 1}, {14, 15, 1}, {13, 11, 0}, {3, 4, 0}, {1, 1, 1}, {2, 1, 1}, {1, 6, 1}}) {
    const std::int64_t tiles = tiles_of(p.out_w());
    Floats image(p.h * p.w * kBlock), zeros(p.w * kBlock), bias(kBlock);
    operands.fill(image.span());
    operands.fill(bias.span());
    Input::make_zero(zeros);
    Weights weights;
    for (auto& g : weights) {
      for (auto& row : g) {
        for (double& value : row) value = operands.next();
      }
    }
    for (std::int64_t y = 0; y < p.out_h(); y += 2) {
      const Floats transformed(16 * tiles * kBlock), norm_transformed(16 * tiles * kBlock);
      WinogradInputArgs in{};
      for (std::int64_t r = 0; r < 4; ++r) {
        const std::int64_t row = y + r - p.padding;
        in.rows[r] = row < 0 || row >= p.h ? zeros.data() : image.data() + row * p.w * kBlock;
      }
      in.width = p.w;
      in.x = -p.padding;
      in.tiles = tiles;
      in.position = tiles * kBlock;
      in.out = norm_transformed.data();
      reference::winograd_input(in, true);
      in.out = transformed.data();
      set().winograd_input(in);
      multiply(transformed, tiles, weights, false);
      multiply(norm_transformed, tiles, weights, true);

      const Floats rows[2] = {Floats(p.out_w() * kBlock), Floats(p.out_w() * kBlock)};
      const Floats norms[2] = {rows[0], rows[1]};
      WinogradOutputArgs out{};
      out.position = in.position;
      out.tiles = tiles;
      out.bias = bias.data();
      out.width = p.out_w();
      out.low = -kInfinity;
      out.high = kInfinity;
      const auto output_to = [&](const Floats(&to)[2], const Floats& from) {
        out.in = from.data();
        out.rows[0] = to[0].data();
        out.rows[1] = y + 1 < p.out_h() ? to[1].data() : nullptr;
        return out;
      };
      run(output_to(rows, transformed), Epilogue::clamp);
      reference::winograd_output(output_to(norms, norm_transformed), Epilogue::clamp, true);
      for (std::int64_t r = 0; r < 2 && y + r < p.out_h(); ++r) {
        for (std::int64_t i = 0; i < p.out_w() * kBlock; ++i) {
          const std::int64_t lane = i % kBlock;
          const double expected =
              convolution(p, image, weights[static_cast<std::size_t>(lane)], y + r, i / kBlock, lane) + bias[lane];
          ASSERT_NEAR(rows[r][i], expected, gamma(10) * norms[r][i]) << fmt::format(
              "{} x {}, padding {}: row {}, column {}, lane {}", p.h, p.w, p.padding, y + r, i / kBlock, lane);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, WinogradTest, testing::ValuesIn(usable_sets()), isa_name);

}  // namespace
}  // namespace effnet::kernels
