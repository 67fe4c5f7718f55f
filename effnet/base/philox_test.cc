#include "effnet/base/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace effnet {
namespace {

// kat_vectors of the Random123 distribution, "philox4x32 10".
TEST(Philox, MatchesThePublishedTestVectors) {
  EXPECT_EQ(philox4x32_10({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t f = 0xffffffff;
  EXPECT_EQ(philox4x32_10({f, f, f, f}, {f, f}), (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, CounterIsIndexAndStreamAndKeyIsSeed) {
  const Philox numbers(0x299f31d0a4093822, 0x0370734413198a2e);
  EXPECT_EQ(numbers.block(0x85a308d3243f6a88), (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, StreamOfIsFnv1a) {  // draft-eastlake-fnv, appendix C
  EXPECT_EQ(stream_of(""), 0xcbf29ce484222325U);
  EXPECT_EQ(stream_of("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(stream_of("foobar"), 0x85944171f73967e8U);
}

// For any offset and length, fill_uniform() and fill_normal() give the same numbers as uniform() and normal().
TEST(Philox, FillsEqualSingleNumbers) {
  const Philox numbers(7, stream_of("x"));
  const std::uint64_t firsts[] = {
      0, 1, 2, 3, 5, 63, (std::uint64_t{1} << 34) - 7};  // with the last one, the block index exceeds 32 bits
  for (const std::uint64_t first : firsts) {
    for (const std::size_t count : {0, 1, 3, 4, 61, 64, 65, 200}) {
      std::vector<float> uniform(count), normal(count);
      numbers.fill_uniform(uniform, first, -0.5F, 2.0F);
      numbers.fill_normal(normal, first, 0.25F);
      for (std::size_t j = 0; j < count; ++j) {
        ASSERT_EQ(uniform[j], -0.5F + 2.0F * numbers.uniform(first + j)) << first << " + " << j;
        ASSERT_EQ(normal[j], 0.25F * numbers.normal(first + j)) << first << " + " << j;
      }
    }
  }
}

TEST(Philox, FunctionsAgreeWithLibm) {
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const PhiloxCounter words = Philox(1, 2).block(i);
    const double u = (i < 40 ? std::ldexp(1.0, -static_cast<int>(i)) : (words[0] + 0.5) * 0x1p-32);
    ASSERT_NEAR(philox_detail::log_below_one(u), std::log(u), 2e-14 * std::abs(std::log(u)) + 1e-16) << u;
    const double a = (words[1] * 0x1p-31 - 1) * 0.78539816339744831;
    const auto [c, s] = philox_detail::cos_sin(a);
    ASSERT_NEAR(c, std::cos(a), 1e-14);
    ASSERT_NEAR(s, std::sin(a), 1e-14);
    // The pair is a point with the radius and angle of the Box-Muller formula.
    const auto [x, y] = philox_detail::normal_pair(words[2], words[3]);
    const double radius = std::sqrt(-2 * std::log((words[2] + 0.5) * 0x1p-32));
    const double angle = ((words[3] + 0.5) * 0x1p-32 * 4 - 0.5) * (std::numbers::pi / 2);
    ASSERT_NEAR(x, radius * std::cos(angle), 1e-13);
    ASSERT_NEAR(y, radius * std::sin(angle), 1e-13);
  }
}

TEST(Philox, ExtremeWordsStayFinite) {
  for (const std::uint32_t word : {0U, 1U, 0x7fffffffU, 0xffffffffU}) {
    for (const std::uint32_t angle : {0U, 0x3fffffffU, 0x40000000U, 0xffffffffU}) {
      const auto [x, y] = philox_detail::normal_pair(word, angle);
      EXPECT_LT(std::hypot(x, y), 6.8);
      EXPECT_TRUE(std::isfinite(x) && std::isfinite(y));
    }
  }
}

// n = 2^18 numbers with a fixed seed. The bounds are 5 standard errors. The standard error of a mean is sd / sqrt(n):
// the sd is 1 for a standard normal x and for x * next x, sqrt(2) for x^2, sqrt(15) for x^3, sqrt(1/12) for a uniform
// number, and sqrt(p(1-p)) for a proportion p (here 0.05: |x| > 1.96).
TEST(Philox, MomentsMatchTheDistributions) {
  constexpr std::size_t n = 1 << 18;
  const double root = std::sqrt(static_cast<double>(n));
  const Philox numbers(42, 0);
  std::vector<float> normal(n), uniform(n);
  numbers.fill_normal(normal, 0, 1.0F);
  numbers.fill_uniform(uniform, 0, 0.0F, 1.0F);
  double sum = 0, squares = 0, cubes = 0, lag = 0, beyond = 0, mean = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = normal[i];
    sum += x;
    squares += x * x;
    cubes += x * x * x;
    lag += x * normal[(i + 1) % n];
    beyond += std::abs(x) > 1.959963985 ? 1 : 0;
    mean += uniform[i];
    ASSERT_GE(uniform[i], 0.0F);
    ASSERT_LT(uniform[i], 1.0F);
  }
  EXPECT_LT(std::abs(sum / n), 5 / root);
  EXPECT_LT(std::abs(squares / n - 1), 5 * std::sqrt(2.0) / root);
  EXPECT_LT(std::abs(cubes / n), 5 * std::sqrt(15.0) / root);
  EXPECT_LT(std::abs(lag / n), 5 / root);
  EXPECT_LT(std::abs(beyond / n - 0.05), 5 * std::sqrt(0.05 * 0.95) / root);
  EXPECT_LT(std::abs(mean / n - 0.5), 5 * std::sqrt(1.0 / 12) / root);
}

TEST(Philox, SeedsAndStreamsDiffer) {
  EXPECT_NE(Philox(0, 0).block(0), Philox(1, 0).block(0));
  EXPECT_NE(Philox(0, 0).block(0), Philox(0, 1).block(0));
  EXPECT_NE(Philox(std::uint64_t{1} << 32, 0).block(0), Philox(0, 0).block(0));
}

}  // namespace
}  // namespace effnet
