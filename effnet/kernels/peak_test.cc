#include "effnet/kernels/peak.h"

#include <gtest/gtest.h>

#include <cmath>

namespace effnet::kernels {
namespace {

// Does not check the value, because it depends on what else runs on the core.
TEST(MeasuredPeak, IsFiniteAndPositiveForEverySet) {
  for (const Isa isa : usable_sets()) {
    const double peak = measured_peak_gflops(isa, 0.02);
    EXPECT_TRUE(std::isfinite(peak) && peak > 0) << name(isa) << ": " << peak;
  }
}

}  // namespace
}  // namespace effnet::kernels
