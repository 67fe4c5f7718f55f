// Compares every depthwise kernel of every usable instruction set, and depthwise_any, with the reference.
#include <gtest/gtest.h>

#include "effnet/kernels/test_support.h"

namespace effnet::kernels {
namespace {

struct Kernel {
  std::int64_t size, stride;
  bool half;
  Epilogue epilogue;
  bool any = false;  // tests depthwise_any instead of the table's kernel
  std::int64_t lanes() const { return half ? 8 : 16; }
  std::int64_t in_width(std::int64_t width) const { return (width - 1) * stride + size; }
};

struct Shape {
  std::int64_t width;
  std::int64_t rows_above;  // window rows above the image; all of them point to the same row of zeros
  std::int64_t shift;       // floats from a 64-byte boundary to rows, out and sums
  bool sums;
  Range range;
};

// The memory of one output row. In a half block the upper 8 lanes are kUntouched, and the allocation ends before the
// upper 8 lanes of the last pixel.
struct Row {
  Kernel kernel;
  Shape shape;
  std::vector<Floats> inputs;
  Floats weight, bias, out, sums;

  Row(const Kernel& k, const Shape& s, Operands& operands)
      : kernel(k),
        shape(s),
        weight(k.size * k.size * kBlock),
        bias(kBlock),
        out(s.width * kBlock - (kBlock - k.lanes()), s.shift),
        sums(kBlock, s.shift) {
    for (std::int64_t ky = 0; ky < k.size; ++ky) {
      inputs.emplace_back(k.in_width(s.width) * kBlock - (kBlock - k.lanes()), s.shift);
      fill_lanes(inputs.back(), k.lanes(), [&] { return ky < s.rows_above ? 0.0F : operands.next(); });
    }
    fill_lanes(weight, k.lanes(), [&] { return operands.next(); });
    fill_lanes(bias, k.lanes(), [&] { return operands.next(); });
    fill_lanes(sums, k.lanes(), [&] { return operands.next(); });
  }

  // Calls call(args) with the arguments of this row. The first output is at column x.
  template <class Call>
  void with_args(Call call, std::int64_t x = 0) const {
    std::vector<const float*> rows;
    for (std::int64_t ky = 0; ky < kernel.size; ++ky) {
      const std::int64_t shared = ky < shape.rows_above ? 0 : ky;
      rows.push_back(inputs[static_cast<std::size_t>(shared)].data() + x * kernel.stride * kBlock);
    }
    call(DepthwiseArgs{.rows = rows.data(),
                       .weight = weight.data(),
                       .bias = bias.data(),
                       .out = out.data(),
                       .width = shape.width - x,
                       .sums = shape.sums ? sums.data() : nullptr,
                       .low = shape.range.low,
                       .high = shape.range.high});
  }
};

class DepthwiseTest : public InstructionSetTest {
 protected:
  template <class Test>
  void for_each_kernel(Test test) const {
    for (const std::int64_t size : {3, 5, 7}) {
      for (const std::int64_t stride : {1, 2}) {
        for (const bool half : {false, true}) {
          for (const Epilogue epilogue : kAllEpilogues) test(Kernel{size, stride, half, epilogue});
        }
      }
    }
    for (const auto& [size, stride] : {std::pair<int, int>{1, 1}, {2, 3}, {3, 1}, {4, 2}, {9, 1}}) {
      for (const Epilogue epilogue : kAllEpilogues) test(Kernel{size, stride, false, epilogue, true});
    }
  }
  void run(const Kernel& k, const DepthwiseArgs& args) const {
    if (k.any) {
      set().depthwise_any[static_cast<int>(k.epilogue)](args, k.size, k.stride);
    } else {
      set().depthwise(k.size, k.stride, k.half, k.epilogue)(args);
    }
  }
  void run(const Row& row) const {
    row.with_args([&](const DepthwiseArgs& args) { run(row.kernel, args); });
  }
  static void run_reference(const Row& row, Epilogue epilogue) {
    const Kernel& k = row.kernel;
    row.with_args(
        [&](const DepthwiseArgs& args) { reference::depthwise(args, k.size, k.stride, k.lanes(), epilogue); });
  }
  std::string describe(const Kernel& k, const Shape& s) const {
    return fmt::format("{}{}: width {}, rows above {}, shift {} floats, sums {}, range {}..{}",
                       k.any ? "depthwise_any " : "", depthwise_name(set(), k.size, k.stride, k.half, k.epilogue),
                       s.width, s.rows_above, s.shift, s.sums, s.range.low, s.range.high);
  }

  Operands operands{2};
};

// Returns the expected sums. They are computed from the row's own outputs, because the order of the additions is
// specified.
Floats sums_of(const Floats& before, const Floats& out, std::int64_t lanes) {
  Floats sums = before;
  for (std::int64_t i = 0; i < out.size(); ++i) {
    if (i % kBlock < lanes) sums[i % kBlock] += out[i];
  }
  return sums;
}

TEST_P(DepthwiseTest, AgreesWithReference) {
  std::int64_t variant = 0;  // selects the other members of Shape
  for_each_kernel([&](const Kernel& kernel) {
    for (std::int64_t width = 1; width <= 40; ++width) {
      const Shape shape = {width, variant % 3 == 2 ? kernel.size / 2 : 0, variant % 2, variant / 2 % 2 == 1,
                           kRanges[variant / 4 % 4]};
      ++variant;
      const Row row(kernel, shape, operands);
      Row expected = row, absolute = row;
      for (const Floats& input : absolute.inputs) make_absolute(input.span());
      make_absolute(absolute.weight.span());
      make_absolute(absolute.bias.span());
      absolute.shape.range = kRanges[0];
      run_reference(absolute, Epilogue::clamp);
      run_reference(expected, kernel.epilogue);
      const Floats before = row.sums;
      run(row);
      const testing::AssertionResult result =
          agree(row.out, expected.out, absolute.out, function_of(kernel.epilogue), kernel.size * kernel.size);
      EXPECT_TRUE(result) << describe(kernel, shape);
      if (!result) return;
      const Floats sums = shape.sums ? sums_of(before, row.out, kernel.lanes()) : before;
      EXPECT_TRUE(same_bits(row.sums.span(), sums.span())) << "sums; " << describe(kernel, shape);
    }
  });
}

// An output has the same bits whether it is computed in a part of the row or in the whole row.
TEST_P(DepthwiseTest, SplittingARowKeepsTheBits) {
  for_each_kernel([&](const Kernel& kernel) {
    Row row(kernel, {40, 0, 0, false, kRanges[3]}, operands);
    run(row);
    const Floats whole = row.out;
    for (const std::int64_t first : {0, 1, 2, 3, 5, 13}) {
      for (std::int64_t width = 1; first + width <= 40; ++width) {
        Floats part(width * kBlock - (kBlock - kernel.lanes()));
        row.with_args(
            [&](DepthwiseArgs args) {
              args.width = width;
              args.out = part.data();
              run(kernel, args);
            },
            first);
        const testing::AssertionResult result = same_bits(
            part.span(), whole.span().subspan(static_cast<std::size_t>(first * kBlock)).first(part.span().size()));
        EXPECT_TRUE(result) << "from " << first << ", width " << width << "; " << describe(kernel, row.shape);
        if (!result) return;
      }
    }
  });
}

TEST_P(DepthwiseTest, NanReachesExactlyTheDependentOutputs) {
  for_each_kernel([&](const Kernel& kernel) {
    const Row clean(kernel, {11, 0, 0, true, kRanges[2]}, operands);
    Row bad = clean;
    run(clean);
    const std::int64_t pixel = kernel.stride, lane = kernel.lanes() - 2, row = kernel.size - 1;
    bad.inputs[static_cast<std::size_t>(row)][pixel * kBlock + lane] = kNan;
    run(bad);
    for (std::int64_t x = 0; x < bad.shape.width; ++x) {
      for (std::int64_t c = 0; c < kernel.lanes(); ++c) {
        const bool depends = c == lane && x * kernel.stride <= pixel && pixel < x * kernel.stride + kernel.size;
        const float got = bad.out[x * kBlock + c];
        EXPECT_TRUE(depends ? std::isnan(got) : bits(got) == bits(clean.out[x * kBlock + c]))
            << "output " << x << " lane " << c << " is " << got << "; " << describe(kernel, bad.shape);
      }
    }
    for (std::int64_t c = 0; c < kernel.lanes(); ++c) {
      EXPECT_EQ(std::isnan(bad.sums[c]), c == lane) << "sums, lane " << c << "; " << describe(kernel, bad.shape);
    }
  });
}

TEST_P(DepthwiseTest, ExtremeSumsAgreeWithReference) {
  for_each_kernel([&](const Kernel& kernel) {
    for (std::size_t first = 0; first < std::size(kExtremes); first += static_cast<std::size_t>(kernel.lanes())) {
      const Row row(kernel, {7, 0, 0, false, kRanges[first % 3]}, operands);
      fill_lanes(row.weight, kernel.lanes(), [] { return 0.0F; });
      std::size_t at = first;
      fill_lanes(row.bias, kernel.lanes(), [&] { return kExtremes[at++ % std::size(kExtremes)]; });
      run(row);
      for (std::int64_t i = 0; i < row.out.size(); ++i) {
        if (i % kBlock >= kernel.lanes()) continue;
        const float x = row.bias[i % kBlock];
        const auto expected =
            static_cast<float>(reference::epilogue(kernel.epilogue, x, row.shape.range.low, row.shape.range.high));
        EXPECT_TRUE(agree_at(x, row.out[i], expected, function_of(kernel.epilogue)))
            << "float " << i << "; " << describe(kernel, row.shape);
      }
    }
  });
}

TEST_P(DepthwiseTest, OtherWindowsAndStridesReturnNull) {
  for (const auto& [size, stride] :
       {std::pair<int, int>{1, 1}, {2, 1}, {4, 1}, {9, 1}, {3, 3}, {3, 0}, {5, 4}, {-3, 1}}) {
    EXPECT_EQ(set().depthwise(size, stride, false, Epilogue::silu), nullptr) << size << " by " << stride;
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, DepthwiseTest, testing::ValuesIn(usable_sets()), isa_name);

}  // namespace
}  // namespace effnet::kernels
