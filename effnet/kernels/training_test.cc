// Compares every training kernel of every usable instruction set with its reference. The difference must be within the
// error bound that the reference computes.
#include "effnet/kernels/training.h"

#include <gtest/gtest.h>

#include "effnet/kernels/reference/training.h"
#include "effnet/kernels/test_support.h"

namespace effnet::kernels {
namespace {

constexpr std::int64_t kPixels[] = {1, 2, 3, 4, 5, 7, 8, 13, 14, 29, 196};

testing::AssertionResult within(const float* got, const reference::Values& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(double{got[i]} - expected[i].value);
    if (error <= expected[i].error) continue;
    return testing::AssertionFailure() << fmt::format(
               "float {}: got {:.9g}, expected {:.9g}, error {:.3g}, allowed "
               "{:.3g}",
               i, got[i], expected[i].value, error, expected[i].error);
  }
  return testing::AssertionSuccess();
}

class TrainingTest : public testing::TestWithParam<Isa> {
 protected:
  const TrainingSet& set() const { return training_set({GetParam()}); }
  Floats random(std::int64_t size, std::int64_t shift = 0, float scale = 1) {
    Floats values(size, shift);
    operands.fill(values.span());
    for (float& value : values.span()) value *= scale;
    return values;
  }

  struct Case {
    Floats y, d, scale, shift, inverse, offset, se_scale;
    ActivationArgs args;
    Case(TrainingTest& test, std::int64_t pixels, std::int64_t misaligned, bool with_se_scale, Range range)
        : y(test.random(pixels * kBlock, misaligned, 4)),
          d(test.random(pixels * kBlock, misaligned)),
          scale(test.random(kBlock, misaligned, 2)),
          shift(test.random(kBlock, misaligned)),
          inverse(test.random(kBlock)),
          offset(test.random(kBlock)),
          se_scale(test.random(kBlock)),
          args{y.data(),       scale.data(),  shift.data(),
               inverse.data(), offset.data(), with_se_scale ? se_scale.data() : nullptr,
               range.low,      range.high,    pixels} {}
  };
  // Calls test(case, epilogue, label) for all sizes, alignments, epilogues and bounds.
  template <class Test>
  void for_each_case(Test test) {
    for (const std::int64_t pixels : kPixels) {
      for (const std::int64_t misaligned : {0, 1}) {
        for (const Epilogue kind : kAllEpilogues) {
          for (const Range& range : kRanges) {
            const Case c(*this, pixels, misaligned, misaligned == 1, range);
            test(c, kind, fmt::format("{} {} pixels, bounds {} {}", name(kind), pixels, range.low, range.high));
          }
        }
      }
    }
  }
  Operands operands{7};
};

TEST_P(TrainingTest, MomentsAgreeWithReference) {
  for (const std::int64_t pixels : kPixels) {
    for (const std::int64_t misaligned : {0, 1}) {
      const Floats y = random(pixels * kBlock, misaligned);
      const Floats got = random(3 * kBlock, misaligned), before = got;
      set().moments(y.data(), pixels, got.data());
      EXPECT_TRUE(within(got.data(), reference::moments(y.data(), pixels, before.data()))) << pixels;
    }
  }
}

// A mean that is about 1000 times the standard deviation does not reduce the precision, because the pivot is close to
// the mean.
TEST_P(TrainingTest, MomentsKeepPrecisionWithALargeMean) {
  constexpr std::int64_t kCount = 196;
  const Floats y = random(kCount * kBlock);
  for (float& value : y.span()) value = 1000 + value;
  Floats moments(3 * kBlock);
  std::fill_n(moments.data(), 3 * kBlock, 0.0F);
  std::copy_n(y.data(), kBlock, moments.data());
  set().moments(y.data(), kCount, moments.data());
  for (std::int64_t lane = 0; lane < kBlock; ++lane) {
    double mean = 0, variance = 0;
    for (std::int64_t p = 0; p < kCount; ++p) mean += y[p * kBlock + lane] / double{kCount};
    for (std::int64_t p = 0; p < kCount; ++p) {
      variance += (y[p * kBlock + lane] - mean) * (y[p * kBlock + lane] - mean) / double{kCount};
    }
    const double sum = moments[kBlock + lane] / double{kCount};
    // The deviations from the pivot are at most 2, so the squares are at most 4. A sum of 196 squares has 196
    // roundings.
    EXPECT_NEAR(moments[2 * kBlock + lane] / double{kCount} - sum * sum, variance, 2 * 4 * kCount * 0x1p-24);
  }
}

TEST_P(TrainingTest, ActivationsAgreeWithReference) {
  for_each_case([&](const Case& c, Epilogue kind, const std::string& label) {
    const auto index = static_cast<std::size_t>(kind);
    Floats out(c.y.size()), derivative(c.y.size()), value(c.y.size());
    set().activate[index](c.args, out.data());
    EXPECT_TRUE(within(out.data(), reference::activate(kind, c.args))) << label;
    ActivationArgs without_se = c.args;
    without_se.se_scale = nullptr;
    set().activate_both[index](without_se, value.data(), derivative.data());
    EXPECT_TRUE(within(value.data(), reference::activate(kind, without_se))) << label;
    EXPECT_TRUE(within(derivative.data(), reference::derivatives(kind, without_se))) << label;
    const Floats sums = random(kBlock), before = sums;
    set().activate_sum[index](without_se, sums.data());
    EXPECT_TRUE(within(sums.data(), reference::activate_sum(kind, without_se, before.data()))) << label;
  });
}

// The reference's derivative equals the central difference of the reference's value, in double.
TEST(TrainingReference, DerivativeEqualsCentralDifference) {
  for (const Epilogue kind : kAllEpilogues) {
    for (double z = -8.03; z < 8; z += 0.1) {
      constexpr double kStep = 1e-5;
      const auto f = [&](double at) { return reference::epilogue(kind, at, 0, 6); };
      const double derivative = reference::derivative_of(kind, {z, 0}, 0, 6).value;
      EXPECT_NEAR(derivative, (f(z + kStep) - f(z - kStep)) / (2 * kStep), 1e-8) << name(kind) << " at " << z;
    }
  }
}

TEST_P(TrainingTest, SeBackwardAgreesWithReference) {
  for_each_case([&](const Case& c, Epilogue kind, const std::string& label) {
    const Floats out(c.y.size()), sums = random(kSeSums * kBlock), before = sums, again = sums;
    set().se_backward[static_cast<std::size_t>(kind)](c.args, c.d.data(), out.data(), sums.data());
    EXPECT_TRUE(within(out.data(), reference::activate(kind, c.args))) << label;
    EXPECT_TRUE(within(sums.data(), reference::se_sums(kind, c.args, c.d.data(), before.data()))) << label;
    set().se_backward[static_cast<std::size_t>(kind)](c.args, c.d.data(), nullptr, again.data());
    EXPECT_TRUE(same_bits(again.span(), sums.span())) << label;
  });
}

TEST_P(TrainingTest, GradientsAgreeWithReference) {
  for_each_case([&](const Case& c, Epilogue kind, const std::string& label) {
    const Floats constants = random(4 * kBlock);
    GradientArgs gradient{c.d.data(),
                          constants.data(),
                          constants.data() + kBlock,
                          constants.data() + 2 * kBlock,
                          constants.data() + 3 * kBlock,
                          nullptr,
                          kBlock};
    const Floats out(c.y.size()), spaced(2 * c.y.size());
    gradient.out = out.data();
    set().activated_gradient[static_cast<std::size_t>(kind)](c.args, gradient);
    EXPECT_TRUE(within(out.data(), reference::activated_gradient(&kind, c.args, gradient))) << label;
    gradient.out = spaced.data();
    gradient.out_step = 2 * kBlock;
    set().activated_gradient[static_cast<std::size_t>(kind)](c.args, gradient);
    for (std::int64_t i = 0; i < spaced.size(); ++i) {
      const bool written = i / kBlock % 2 == 0;
      ASSERT_EQ(bits(spaced[i]), written ? bits(out[i / kBlock / 2 * kBlock + i % kBlock]) : kUntouchedBits) << label;
    }
    const Floats plain(c.y.size());
    gradient.out = plain.data();
    gradient.out_step = kBlock;
    set().gradient(c.y.data(), gradient, c.args.pixels);
    EXPECT_TRUE(within(plain.data(), reference::activated_gradient(nullptr, c.args, gradient))) << label;
  });
}

TEST_P(TrainingTest, ReduceAgreesWithReference) {
  for (const std::int64_t pixels : kPixels) {
    for (const auto& [with_derivative, stream] : {std::pair{false, false}, {true, false}, {true, true}}) {
      const Case c(*this, pixels, with_derivative ? 1 : 0, false, kRanges[0]);
      const Floats derivative = random(pixels * kBlock), out(pixels * kBlock), sums = random(2 * kBlock), before = sums;
      const ReduceArgs args{.d = c.d.data(),
                            .derivative = with_derivative ? derivative.data() : nullptr,
                            .y = c.y.data(),
                            .inverse = c.inverse.data(),
                            .offset = c.offset.data(),
                            .out = out.data(),
                            .sums = sums.data(),
                            .pixels = pixels,
                            .stream = stream};
      const reference::Values values = reference::reduced(args), totals = reference::reduce_sums(args, before.data());
      set().reduce(args);
      EXPECT_TRUE(within(out.data(), values)) << pixels;
      EXPECT_TRUE(within(sums.data(), totals)) << pixels;
    }
  }
}

TEST_P(TrainingTest, ScatterAfterGatherRestoresTheRows) {
  for (std::int64_t channels = 1; channels <= 49; ++channels) {
    for (const std::int64_t pixels : {1, 2, 13}) {
      const std::int64_t block = pixels * kBlock + 2;
      const Floats rows = random(pixels * channels, 1), blocks(blocks_of(channels) * block),
                   back(pixels * channels + 1, 1);
      set().gather({.from = rows.data(), .to = blocks.data(), .channels = channels, .pixels = pixels, .block = block});
      set().scatter({.from = blocks.data(), .to = back.data(), .channels = channels, .pixels = pixels, .block = block});
      for (std::int64_t i = 0; i < blocks.size(); ++i) {
        const std::int64_t c = i / block * kBlock + i % block % kBlock, p = i % block / kBlock;
        const std::uint32_t expected = p >= pixels ? kUntouchedBits : c < channels ? bits(rows[p * channels + c]) : 0;
        ASSERT_EQ(bits(blocks[i]), expected) << channels;
      }
      for (std::int64_t i = 0; i < rows.size(); ++i) ASSERT_EQ(bits(back[i]), bits(rows[i])) << channels;
      ASSERT_EQ(bits(back[rows.size()]), kUntouchedBits) << channels;
    }
  }
}

TEST_P(TrainingTest, WeightGradientAgreesWithReference) {
  for (const std::int64_t pixels : kPixels) {
    for (std::int64_t blocks = 1; blocks <= set().weight_blocks; ++blocks) {
      for (const bool accumulate : {false, true}) {
        const std::int64_t b_block = pixels * kBlock + 5, row = blocks * kBlock + 3;
        const Floats a = random(pixels * kBlock, 1), b = random(blocks * b_block, 1);
        const Floats to = random(set().weight_rows * row);
        const WeightGradientArgs args{.a = a.data(),
                                      .b = b.data(),
                                      .b_block = b_block,
                                      .to = to.data(),
                                      .to_row = row,
                                      .pixels = pixels,
                                      .accumulate = accumulate,
                                      .prefetch_address = a.data()};
        const reference::Values expected = reference::weight_gradient(args, set().weight_rows, blocks);
        set().weight_gradient[blocks - 1](args);
        for (std::int64_t r = 0; r < set().weight_rows; ++r) {
          const auto first = expected.begin() + r * blocks * kBlock;
          EXPECT_TRUE(within(to.data() + r * row, reference::Values(first, first + blocks * kBlock)))
              << pixels << " pixels, row " << r;
        }
      }
    }
  }
}

TEST_P(TrainingTest, DepthwiseWeightAgreesWithReference) {
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t width : {1, 2, 7, 13}) {
        for (const std::int64_t height : {1, 2, 5}) {
          std::vector<Floats> inputs, gradients;
          std::vector<const float*> rows, d;
          for (std::int64_t y = 0; y < (height - 1) * stride + kernel; ++y) {
            inputs.push_back(random(((width - 1) * stride + kernel) * kBlock, 1));
          }
          for (std::int64_t y = 0; y < height; ++y) gradients.push_back(random(width * kBlock, 1));
          for (const Floats& row : inputs) rows.push_back(row.data());
          for (const Floats& row : gradients) d.push_back(row.data());
          const Floats to = random(kernel * kernel * kBlock);
          const DepthwiseWeightArgs args{
              .rows = rows.data(), .d = d.data(), .d_step = kBlock, .width = width, .height = height, .to = to.data()};
          const reference::Values expected = reference::depthwise_weight(args, kernel, stride);
          set().depthwise_weight(kernel, stride)(args);
          EXPECT_TRUE(within(to.data(), expected)) << kernel << " by " << stride << ", " << width << "x" << height;
        }
      }
    }
  }
  EXPECT_EQ(set().depthwise_weight(4, 1), nullptr);
  EXPECT_EQ(set().depthwise_weight(3, 3), nullptr);
}

TEST_P(TrainingTest, DepthwiseDataGradientAgreesWithReference) {
  for (const std::int64_t kernel : {3, 5, 7}) {
    for (std::int64_t left = 0; left <= kernel / 2; ++left) {
      for (const std::int64_t out_width : {1, 2, 5, 16}) {
        // Every input width that has out_width windows, and a width with one more pixel, which no window contains.
        for (std::int64_t width = std::max<std::int64_t>(1, 2 * out_width - 1 - left);
             width <= 2 * (out_width - 1) + kernel - left + 1; ++width) {
          std::vector<Floats> gradients;
          std::vector<const float*> rows;
          std::vector<std::int32_t> window;
          for (std::int64_t i = 0; i < kernel / 2 + 1; ++i) {
            gradients.push_back(random((out_width + 2 * kernel) * kBlock));
            const Floats& row = gradients.back();
            std::fill_n(row.data(), kernel * kBlock, 0.0F);
            std::fill_n(row.data() + (kernel + out_width) * kBlock, kernel * kBlock, 0.0F);
            window.push_back(static_cast<std::int32_t>((i * 2) % kernel));
          }
          for (const Floats& row : gradients) rows.push_back(row.data() + kernel * kBlock);
          const Floats weight = random(kernel * kernel * kBlock), out(width * kBlock, 1);
          const DepthwiseDataGradientArgs args{.rows = rows.data(),
                                               .window = window.data(),
                                               .count = static_cast<std::int64_t>(rows.size()),
                                               .weight = weight.data(),
                                               .left = left,
                                               .width = width,
                                               .out = out.data()};
          set().depthwise_data_gradient(kernel)(args);
          EXPECT_TRUE(within(out.data(), reference::depthwise_data_gradient(args, kernel, out_width)))
              << kernel << ", left " << left << ", width " << width;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, TrainingTest, testing::ValuesIn(usable_sets()), isa_name);

}  // namespace
}  // namespace effnet::kernels
