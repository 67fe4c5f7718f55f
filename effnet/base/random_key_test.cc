#include "effnet/base/random_key.h"

#include <gtest/gtest.h>

#include <cmath>

namespace effnet {
namespace {

// Successive draws of different kinds are independent: their products have mean 0. A normal is made from two random
// words, one for its radius and one for its angle. A correlation with the radius alone shows only in the square, so the
// square is tested too.
TEST(Draws, SuccessiveDrawsOfDifferentKindsAreIndependent) {
  constexpr int kPairs = 40000;
  double before = 0, after = 0, before_square = 0, after_square = 0;
  for (std::uint64_t i = 0; i < kPairs; ++i) {
    Draws draws({1, 2, i}, "test");
    const double u = draws.uniform() - 0.5;
    const double x = draws.normal();
    const double v = draws.uniform() - 0.5;
    before += u * x;
    after += v * x;
    before_square += u * (x * x - 1);
    after_square += v * (x * x - 1);
  }
  // The bounds are 5 standard errors of a sum. The standard deviation is sqrt(1/12) for a uniform number, 1 for x and
  // sqrt(2) for x^2 - 1.
  const double bound = 5 * std::sqrt(kPairs / 12.0);
  EXPECT_LT(std::abs(before), bound);
  EXPECT_LT(std::abs(after), bound);
  EXPECT_LT(std::abs(before_square), bound * std::sqrt(2.0));
  EXPECT_LT(std::abs(after_square), bound * std::sqrt(2.0));
}

TEST(Draws, DependOnEveryPartOfTheKey) {
  const auto first = [](const RandomKey& key, std::string_view purpose) { return Draws(key, purpose).uniform(); };
  const float value = first({1, 2, 3}, "a");
  EXPECT_EQ(value, first({1, 2, 3}, "a"));
  EXPECT_NE(value, first({2, 2, 3}, "a"));
  EXPECT_NE(value, first({1, 3, 3}, "a"));
  EXPECT_NE(value, first({1, 2, 4}, "a"));
  EXPECT_NE(value, first({1, 2, 3}, "b"));
}

}  // namespace
}  // namespace effnet
