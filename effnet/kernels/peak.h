// The measured peak performance of a core. `effnet bench --layers` reports each layer as a share of it.
#pragma once

#include "effnet/kernels/isa.h"

namespace effnet::kernels {

// Returns the float32 GFLOP/s (a multiply-add counts as two operations) of the calling thread's core in a loop of
// independent multiply-adds on registers. Measures slices of about 0.1 ms for `seconds` in total and returns the result
// of the fastest slice. Throws Error(environment) if the CPU lacks the set.
double measured_peak_gflops(Isa isa, double seconds);

}  // namespace effnet::kernels
