// Compares pools, maps, sums and row scaling of every usable instruction set with the reference.
#include <gtest/gtest.h>

#include "effnet/kernels/test_support.h"

namespace effnet::kernels {
namespace {

class ElementwiseTest : public InstructionSetTest {
 protected:
  Floats filled(std::int64_t size, std::int64_t shift) {
    Floats result(size, shift);
    operands.fill(result.span());
    return result;
  }
  Operands operands{3};
};

struct Window {
  std::int64_t kernel, stride, before;  // before: padding above and to the left of the image
};
constexpr Window kWindows[] = {{2, 2, 0}, {3, 1, 1}, {3, 2, 0}, {3, 2, 1}, {5, 1, 2},
                               {5, 2, 1}, {7, 7, 3}, {1, 1, 0}, {1, 2, 0}};

// Calls test(args, in, text) for every output row of every window, over images of several sizes. The last windows of an
// image extend beyond its right and lower edges.
template <class Test>
void for_each_pool_row(Operands& operands, Test test) {
  for (const auto& [h, w] : {std::pair<std::int64_t, std::int64_t>{13, 11}, {1, 1}, {2, 3}, {7, 40}}) {
    for (const Window& window : kWindows) {
      for (const bool count_padding : {false, true}) {
        Floats in(h * w * kBlock, count_padding ? 1 : 0);
        operands.fill(in.span());
        const auto outputs = [&](std::int64_t n) { return (n + window.before - 1) / window.stride + 1; };
        for (std::int64_t y = 0; y < outputs(h); ++y) {
          test(PoolArgs{.in = in.data(),
                        .out = nullptr,
                        .in_h = h,
                        .in_w = w,
                        .out_w = outputs(w),
                        .top = y * window.stride - window.before,
                        .left = -window.before,
                        .kernel = window.kernel,
                        .stride = window.stride,
                        .count_padding = count_padding},
               in,
               fmt::format("kernel {}, stride {}, before {}, image {}x{}, row {}, padding counts: {}", window.kernel,
                           window.stride, window.before, h, w, y, count_padding));
        }
      }
    }
  }
}

TEST_P(ElementwiseTest, MaxPoolAgreesWithReference) {
  for_each_pool_row(operands, [&](PoolArgs args, const Floats& in, const std::string& text) {
    for (const bool with_nan : {false, true}) {
      const Floats image = in;
      if (with_nan) image[in.size() / kBlock / 2 * kBlock + 5] = kNan;
      args.in = image.data();
      const Floats got(args.out_w * kBlock, 1), expected = got;
      args.out = expected.data();
      reference::max_pool(args);
      args.out = got.data();
      set().max_pool(args);
      for (std::int64_t i = 0; i < got.size(); ++i) {
        EXPECT_TRUE(std::isnan(expected[i]) ? std::isnan(got[i]) && bits(got[i]) != kUntouchedBits
                                            : got[i] == expected[i])
            << "float " << i << ": got " << got[i] << ", expected " << expected[i] << "; " << text;
      }
    }
  });
}

TEST_P(ElementwiseTest, AveragePoolAgreesWithReference) {
  for_each_pool_row(operands, [&](PoolArgs args, const Floats& in, const std::string& text) {
    const Floats got(args.out_w * kBlock, 1), expected = got, norms = got;
    const Floats absolute = in;
    make_absolute(absolute.span());
    args.out = expected.data();
    reference::average_pool(args);
    args.out = got.data();
    set().average_pool(args);
    args.in = absolute.data();
    args.out = norms.data();
    reference::average_pool(args);
    // A division, or a multiplication by a rounded reciprocal, has at most two roundings. tolerance() allows two
    // roundings more than the sum has.
    EXPECT_TRUE(agree(got, expected, norms, Function::clamp, args.kernel * args.kernel)) << text;
  });
}

// The variants of MapArgs: which operands are used, where the result is stored, and the alignment.
struct MapShape {
  std::int64_t pixels;
  bool b, scale, shift;
  int out;  // 0: separate memory, 1: in place of a, 2: in place of b
  std::int64_t misaligned;
  Range range;
};

struct Map {
  MapShape shape;
  Floats a, b, scale, shift, out;
  Map(const MapShape& s, Operands& operands)
      : shape(s),
        a(s.pixels * kBlock, s.misaligned),
        b(s.pixels * kBlock, s.misaligned),
        scale(kBlock),
        shift(kBlock),
        out(s.pixels * kBlock, s.misaligned) {
    for (const Floats* operand : {&a, &b, &scale, &shift}) operands.fill(operand->span());
  }
  const Floats& result() const { return shape.out == 1 ? a : shape.out == 2 ? b : out; }
  MapArgs args() const {
    return {a.data(),
            shape.b ? b.data() : nullptr,
            shape.scale ? scale.data() : nullptr,
            shape.shift ? shift.data() : nullptr,
            result().data(),
            shape.pixels,
            shape.range.low,
            shape.range.high};
  }
};

template <class Test>
void for_each_map(Test test) {
  std::size_t variant = 0;
  for (const std::int64_t pixels : {1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 40}) {
    for (const bool b : {false, true}) {
      for (const bool scale : {false, true}) {
        for (const bool shift : {false, true}) {
          for (int out = 0; out < (b ? 3 : 2); ++out) {
            ++variant;
            test(MapShape{pixels, b, scale, shift, out, static_cast<std::int64_t>(variant % 2),
                          kRanges[variant / 2 % 4]});
          }
        }
      }
    }
  }
}

// run and run_reference are called with MapArgs.
template <class Run, class Reference>
void expect_map_agrees(const MapShape& shape, Operands& operands, Function function, Run run, Reference run_reference) {
  const Map got(shape, operands), expected = got;
  Map absolute = got;
  for (const Floats* operand : {&absolute.a, &absolute.b, &absolute.scale, &absolute.shift})
    make_absolute(operand->span());
  absolute.shape.range = kRanges[0];
  reference::map(absolute.args(), Epilogue::clamp);
  run_reference(expected.args());
  run(got.args());
  EXPECT_TRUE(agree(got.result(), expected.result(), absolute.result(), function, 1))
      << fmt::format("pixels {}, b {}, scale {}, shift {}, out {}, misaligned {} floats, range {}..{}", shape.pixels,
                     shape.b, shape.scale, shape.shift,
                     shape.out == 0   ? "separate"
                     : shape.out == 1 ? "in a"
                                      : "in b",
                     shape.misaligned, shape.range.low, shape.range.high);
}

TEST_P(ElementwiseTest, MapAgreesWithReference) {
  for (const Epilogue epilogue : kAllEpilogues) {
    SCOPED_TRACE(name(epilogue));
    for_each_map([&](const MapShape& shape) {
      expect_map_agrees(shape, operands, function_of(epilogue), set().map[static_cast<int>(epilogue)],
                        [&](const MapArgs& args) { reference::map(args, epilogue); });
    });
  }
}

TEST_P(ElementwiseTest, SigmoidAgreesWithReference) {
  for_each_map([&](const MapShape& shape) {
    expect_map_agrees(shape, operands, Function::sigmoid, set().sigmoid, reference::map_sigmoid);
  });
}

// Tests each function with 64 values per sign and exponent, and with kExtremes.
TEST_P(ElementwiseTest, FunctionsAgreeWithReferenceOverAllFloats) {
  std::vector<float> values(std::begin(kExtremes), std::end(kExtremes));
  for (std::uint32_t top = 0; top < 512; ++top) {
    for (std::uint32_t i = 0; i < 64; ++i)
      values.push_back(std::bit_cast<float>(top << 23 | (i * 0x20401U & 0x7fffffU)));
  }
  values.resize(values.size() / kBlock * kBlock + kBlock);  // zeros at the end
  Floats in(static_cast<std::int64_t>(values.size())), out = in;
  std::copy(values.begin(), values.end(), in.data());
  const MapArgs args = {.a = in.data(),
                        .b = nullptr,
                        .scale = nullptr,
                        .shift = nullptr,
                        .out = out.data(),
                        .pixels = in.size() / kBlock,
                        .low = -1,
                        .high = 6};
  for (const Function function : {Function::clamp, Function::silu, Function::hard_swish, Function::sigmoid}) {
    const int index = static_cast<int>(function);
    (function == Function::sigmoid ? set().sigmoid : set().map[index])(args);
    for (std::int64_t i = 0; i < in.size(); ++i) {
      const auto expected = static_cast<float>(function == Function::sigmoid
                                                   ? reference::sigmoid(in[i])
                                                   : reference::epilogue(static_cast<Epilogue>(index), in[i], -1, 6));
      ASSERT_TRUE(agree_at(in[i], out[i], expected, function)) << "function " << index;
    }
  }
}

TEST_P(ElementwiseTest, SumKeepsTheOrderOfPixels) {
  for (const std::int64_t pixels : {1, 2, 3, 4, 7, 8, 9, 49, 143}) {
    const Floats in = filled(pixels * kBlock, pixels % 2), got = filled(kBlock, 0), expected = got;
    set().sum(in.data(), pixels, got.data());
    reference::sum(in.data(), pixels, expected.data());
    EXPECT_TRUE(same_bits(got.span(), expected.span())) << pixels << " pixels";
  }
}

TEST_P(ElementwiseTest, ScaleRowsEqualsReference) {
  for (std::int64_t lanes = 8; lanes <= set().tile; lanes += 8) {
    for (std::int64_t depth = 1; depth <= 40; ++depth) {
      const Floats from = filled(depth * lanes, 0), scale = filled(depth, 1), got(depth * lanes), expected = got;
      set().scale_rows(from.data(), scale.data(), depth, lanes, got.data());
      reference::scale_rows(from.data(), scale.data(), depth, lanes, expected.data());
      EXPECT_TRUE(same_bits(got.span(), expected.span())) << lanes << " lanes, depth " << depth;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, ElementwiseTest, testing::ValuesIn(usable_sets()), isa_name);

}  // namespace
}  // namespace effnet::kernels
