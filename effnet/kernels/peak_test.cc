#include "effnet/kernels/peak.h"

#include <gtest/gtest.h>

#include <cmath>

namespace effnet::kernels {
namespace {

// A figure for each set. How large it is depends on who else uses the core, so no test says.
TEST(MeasuredPeak, IsAFigureForEverySet) {
  for (const Isa isa : usable_sets()) {
    const double peak = measured_peak_gflops(isa, 0.02);
    EXPECT_TRUE(std::isfinite(peak) && peak > 0) << name(isa) << ": " << peak;
  }
}

}  // namespace
}  // namespace effnet::kernels
