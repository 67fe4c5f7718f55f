// The measured peak performance of a core. `effnet bench --layers` reports each layer as a share of it.
#pragma once

#include "effnet/kernels/isa.h"

namespace effnet::kernels {

// float32 GFLOP/s of the calling thread's core (a multiply-add counts as two) in a loop of independent multiply-adds on
// registers. Measures for `seconds` and returns the best slice; a slice takes about 0.1 ms. Throws Error(environment)
// if the CPU lacks the set.
double measured_peak_gflops(Isa isa, double seconds);

}  // namespace effnet::kernels
