// Compares the kernels that compute two rows of a depthwise convolution at once with the reference and, for weights
// that are packed as specified, with the usual convolution.
#include <gtest/gtest.h>

#include "effnet/kernels/test_support.h"

namespace effnet::kernels {
namespace {

struct Kernel {
  std::int64_t size;
  bool half;
  Epilogue epilogue;
  std::int64_t lanes() const { return half ? 8 : 16; }
};

struct Shape {
  std::int64_t width;
  bool second;         // whether there is a second row
  std::int64_t zeros;  // n > 0: the first n input rows are zeros; n < 0: the last -n rows
  std::int64_t shift;  // floats from a 64-byte boundary to rows, outputs and sums
  bool sums;
  Range range;
};

// The memory of a pair of rows. In a half block the upper 8 lanes are kUntouched, and the allocation ends before the
// upper 8 lanes of the last pixel.
struct Rows {
  Kernel kernel;
  Shape shape;
  std::vector<Floats> inputs;
  Floats weight, bias, first, second, sums;

  Rows(const Kernel& k, const Shape& s, Operands& operands)
      : kernel(k),
        shape(s),
        weight(depthwise_pair_positions(k.size) * k.size * kBlock),
        bias(kBlock),
        first(s.width * kBlock - (kBlock - k.lanes()), s.shift),
        second(s.width * kBlock - (kBlock - k.lanes()), s.shift),
        sums(kBlock, s.shift) {
    for (std::int64_t row = 0; row <= k.size; ++row) {
      const bool zero = s.zeros > 0 ? row < s.zeros : row > k.size + s.zeros;
      inputs.emplace_back((s.width + k.size - 1) * kBlock - (kBlock - k.lanes()), s.shift);
      fill_lanes(inputs.back(), k.lanes(), [&] { return zero ? 0.0F : operands.next(); });
    }
    for (const Floats* operand : {&weight, &bias, &sums})
      fill_lanes(*operand, k.lanes(), [&] { return operands.next(); });
  }

  // Calls call(args) with the arguments of these rows. The first output is at column x.
  template <class Call>
  void with_args(Call call, std::int64_t x = 0) const {
    std::vector<const float*> rows;
    for (const Floats& input : inputs) rows.push_back(input.data() + x * kBlock);
    call(DepthwisePairArgs{.rows = rows.data(),
                           .weight = weight.data(),
                           .bias = bias.data(),
                           .out = {first.data(), shape.second ? second.data() : nullptr},
                           .width = shape.width - x,
                           .sums = shape.sums ? sums.data() : nullptr,
                           .low = shape.range.low,
                           .high = shape.range.high});
  }
};

class DepthwisePairTest : public InstructionSetTest {
 protected:
  // Does nothing if the set has no such kernels.
  template <class Test>
  void for_each_kernel(Test test) const {
    for (const std::int64_t size : {3, 5}) {
      for (const bool half : {false, true}) {
        for (const Epilogue epilogue : kAllEpilogues) {
          const Kernel kernel{size, half, epilogue};
          if (find(kernel) != nullptr) test(kernel);
        }
      }
    }
  }
  DepthwisePairFn find(const Kernel& k) const { return set().depthwise_pair(k.size, 1, k.half, k.epilogue); }
  void run(const Rows& rows) const { rows.with_args(find(rows.kernel)); }
  std::string describe(const Rows& rows) const {
    const Shape& s = rows.shape;
    return fmt::format("{}: width {}, second row {}, rows of zeros {}, shift {} floats, sums {}, range {}..{}",
                       depthwise_pair_name(set(), rows.kernel.size, rows.kernel.half, rows.kernel.epilogue), s.width,
                       s.second, s.zeros, s.shift, s.sums, s.range.low, s.range.high);
  }

  Operands operands{6};
};

// Roundings of a term: 1 addition of inputs, 1 product, at most 2 * size additions into the accumulator, 2 more
// additions for the output, and 1 for the bias. That is 2 * size + 5 = n + 3, so n = 2 * size + 2 (test_support.h). The
// packed weight counts as exact.
constexpr std::int64_t roundings(std::int64_t size) { return 2 * size + 2; }

TEST_P(DepthwisePairTest, AgreesWithReference) {
  std::int64_t variant = 0;  // determines the members of Shape that the loops do not set
  for_each_kernel([&](const Kernel& kernel) {
    for (std::int64_t width = 1; width <= 40; ++width, ++variant) {
      const Shape shape = {
          width,           variant % 5 != 0,     variant % 3 == 2 ? kernel.size / 2 * (variant % 2 == 0 ? 1 : -1) : 0,
          variant % 7 % 2, variant / 2 % 2 == 1, kRanges[variant / 4 % 4]};
      const Rows rows(kernel, shape, operands);
      const Rows expected = rows, norms = rows;
      expected.with_args(
          [&](const auto& args) { reference::depthwise_pair(args, kernel.size, kernel.lanes(), kernel.epilogue); });
      norms.with_args([&](const auto& args) {
        reference::depthwise_pair(args, kernel.size, kernel.lanes(), kernel.epilogue, true);
      });
      const Floats before = rows.sums;
      run(rows);
      const Function function = function_of(kernel.epilogue);
      ASSERT_TRUE(agree(rows.first, expected.first, norms.first, function, roundings(kernel.size))) << describe(rows);
      ASSERT_TRUE(agree(rows.second, expected.second, norms.second, function, roundings(kernel.size)))
          << describe(rows);
      // The expected sums are computed from the rows' own outputs, because the order of the additions is specified.
      Floats sums = before;
      std::vector<float> second(kBlock);
      for (std::int64_t i = 0; shape.sums && i < rows.first.size(); ++i) {
        if (i % kBlock >= kernel.lanes()) continue;
        sums[i % kBlock] += rows.first[i];
        if (shape.second) second[static_cast<std::size_t>(i % kBlock)] += rows.second[i];
      }
      for (std::int64_t c = 0; shape.sums && c < kernel.lanes(); ++c) sums[c] += second[static_cast<std::size_t>(c)];
      ASSERT_TRUE(same_bits(rows.sums.span(), sums.span())) << "sums; " << describe(rows);
    }
  });
}

// An output has the same bits whether it is computed in a part of the row or in the whole row, with or without the
// second row.
TEST_P(DepthwisePairTest, SplittingARowKeepsTheBits) {
  for_each_kernel([&](const Kernel& kernel) {
    const Rows whole(kernel, {40, true, 0, 0, false, kRanges[3]}, operands);
    run(whole);
    for (const std::int64_t first : {0, 1, 2, 3, 5, 13}) {
      for (std::int64_t width = 1; first + width <= 40; ++width) {
        const std::int64_t floats = width * kBlock - (kBlock - kernel.lanes());
        const Floats one(floats), other(floats);
        whole.with_args(
            [&](DepthwisePairArgs args) {
              args.width = width;
              args.out[0] = one.data();
              args.out[1] = width % 3 == 0 ? nullptr : other.data();
              find(kernel)(args);
            },
            first);
        const auto part = [&](const Floats& of) {
          return of.span().subspan(static_cast<std::size_t>(first * kBlock)).first(one.span().size());
        };
        ASSERT_TRUE(same_bits(one.span(), part(whole.first))) << first << " " << width << "; " << describe(whole);
        if (width % 3 == 0) continue;
        ASSERT_TRUE(same_bits(other.span(), part(whole.second))) << first << " " << width << "; " << describe(whole);
      }
    }
  });
}

// With weights that are packed as kernels.h specifies, the results equal the usual convolution. Storing a packed weight
// rounds it, which adds one rounding to each term.
TEST_P(DepthwisePairTest, EqualsTheConvolution) {
  for_each_kernel([&](const Kernel& kernel) {
    const std::int64_t size = kernel.size, width = 23;
    const Rows rows(kernel, {width, true, 0, 0, false, kRanges[0]}, operands);
    const Floats window(size * size * kBlock);
    fill_lanes(window, kernel.lanes(), [&] { return operands.next(); });
    for (std::int64_t x = 0; x < size; ++x) {
      for (std::int64_t c = 0; c < kernel.lanes(); ++c) {
        const auto g = [&](std::int64_t y) { return double{window[(y * size + x) * kBlock + c]}; };
        std::vector<double> packed{g(0), (g(0) + g(1) + g(2)) / 2, (g(0) - g(1) + g(2)) / 2, g(2)};
        if (size == 5) packed.insert(packed.end(), {g(3), g(3) + g(4), g(4)});
        for (std::size_t p = 0; p < packed.size(); ++p) {
          rows.weight[(static_cast<std::int64_t>(p) * size + x) * kBlock + c] = static_cast<float>(packed[p]);
        }
      }
    }
    const Rows norms = rows;
    norms.with_args(
        [&](const auto& args) { reference::depthwise_pair(args, size, kernel.lanes(), kernel.epilogue, true); });
    run(rows);
    for (const std::int64_t row : {0, 1}) {
      const Floats expected = rows.first;
      std::vector<const float*> inputs;
      for (std::int64_t y = 0; y < size; ++y) inputs.push_back(rows.inputs[static_cast<std::size_t>(row + y)].data());
      reference::depthwise({inputs.data(), window.data(), rows.bias.data(), expected.data(), width, nullptr,
                            rows.shape.range.low, rows.shape.range.high},
                           size, 1, kernel.lanes(), kernel.epilogue);
      EXPECT_TRUE(agree(row == 0 ? rows.first : rows.second, expected, row == 0 ? norms.first : norms.second,
                        function_of(kernel.epilogue), roundings(size) + 1))
          << "row " << row << "; " << describe(rows);
    }
  });
}

// A NaN in the first input row reaches only the first output row. A NaN in the last input row reaches only the second
// output row. A NaN in any other input row reaches both.
TEST_P(DepthwisePairTest, NanReachesExactlyTheDependentOutputs) {
  for_each_kernel([&](const Kernel& kernel) {
    const Rows clean(kernel, {11, true, 0, 0, true, kRanges[2]}, operands);
    run(clean);
    const std::int64_t pixel = 4, lane = kernel.lanes() - 2;
    for (std::int64_t row = 0; row <= kernel.size; ++row) {
      const Rows bad(clean);
      bad.inputs[static_cast<std::size_t>(row)][pixel * kBlock + lane] = kNan;
      run(bad);
      for (std::int64_t i = 0; i < bad.first.size(); ++i) {
        const std::int64_t x = i / kBlock, c = i % kBlock;
        if (c >= kernel.lanes()) continue;
        const bool depends = c == lane && x <= pixel && pixel < x + kernel.size;
        const auto correct = [&](const Floats& got, const Floats& before, bool reached) {
          return depends && reached ? std::isnan(got[i]) : bits(got[i]) == bits(before[i]);
        };
        ASSERT_TRUE(correct(bad.first, clean.first, row < kernel.size)) << row << " " << x << " " << c << describe(bad);
        ASSERT_TRUE(correct(bad.second, clean.second, row > 0)) << row << " " << x << " " << c << describe(bad);
      }
      EXPECT_TRUE(std::isnan(bad.sums[lane])) << describe(bad);
    }
  });
}

TEST_P(DepthwisePairTest, ExistsOnlyOnAvx512ForKernel3And5WithStride1) {
  const bool has = !set().depthwise_pairs.empty();
  EXPECT_EQ(has, set().target.isa == Isa::avx512);
  for (const std::int64_t size : {1, 2, 3, 4, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      EXPECT_EQ(set().depthwise_pair(size, stride, false, Epilogue::silu) != nullptr,
                has && (size == 3 || size == 5) && stride == 1)
          << size << " by " << stride;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, DepthwisePairTest, testing::ValuesIn(usable_sets()), isa_name);

}  // namespace
}  // namespace effnet::kernels
