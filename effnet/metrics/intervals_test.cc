#include "effnet/metrics/intervals.h"

#include <gtest/gtest.h>

#include "effnet/base/error.h"

namespace effnet::metrics {
namespace {

// Computed by hand with z = 1.959964, z^2 = 3.841459. For 8 right of n = 10: z^2 / 2n = 0.192073, 1 + z^2 / n =
// 1.384146, so the centre is (0.8 + 0.192073) / 1.384146 = 0.716740 and the half width is 1.959964 sqrt(0.016 +
// 0.0096036) / 1.384146 = 0.226577. For n/2 right of n: the centre is 0.5 and the half width is z / (2 sqrt(n + z^2)).
TEST(Wilson, MatchesValuesComputedByHand) {
  const Interval ten = wilson_95(8, 10);
  EXPECT_NEAR(ten.low, 0.716740 - 0.226577, 2e-6);
  EXPECT_NEAR(ten.high, 0.716740 + 0.226577, 2e-6);
  const Interval half = wilson_95(50, 100);
  EXPECT_NEAR(half.low, 0.5 - 0.0961685, 1e-6);
  EXPECT_NEAR(half.high, 0.5 + 0.0961685, 1e-6);
}

TEST(Wilson, IntervalOfNoneOrAllRightIsInsideZeroToOneAndNotEmpty) {
  const Interval none = wilson_95(0, 20);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 3.841459 / 23.841459, 1e-7);  // z^2 / (n + z^2)
  const Interval all = wilson_95(20, 20);
  EXPECT_EQ(all.high, 1);
  EXPECT_NEAR(all.low, 20 / 23.841459, 1e-7);
  const Interval nothing = wilson_95(0, 0);
  EXPECT_EQ(nothing.low, 0);
  EXPECT_EQ(nothing.high, 1);
  EXPECT_THROW(wilson_95(3, 2), Error);
}

}  // namespace
}  // namespace effnet::metrics
