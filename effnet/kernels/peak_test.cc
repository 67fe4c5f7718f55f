#include "effnet/kernels/peak.h"

#include <gtest/gtest.h>

namespace effnet::kernels {
namespace {

// Any core of the last twenty years does 1 to 1000 GFLOP/s; wider sets are not slower, beyond what a busy machine does
// to so short a measurement.
TEST(MeasuredPeak, IsThatOfACoreForEverySet) {
  double before = 0;
  for (const Isa isa : usable_sets()) {
    SCOPED_TRACE(name(isa));
    const double peak = measured_peak_gflops(isa, 0.02);
    EXPECT_GT(peak, 0.1);
    EXPECT_LT(peak, 1000);
    EXPECT_GT(peak, 0.5 * before);
    before = peak;
  }
}

}  // namespace
}  // namespace effnet::kernels
