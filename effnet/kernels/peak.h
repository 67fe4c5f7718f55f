// What a core can do at most, measured: the yardstick of `effnet bench --layers`.
#pragma once

#include "effnet/kernels/isa.h"

namespace effnet::kernels {

// float32 GFLOP/s (a multiply-add counts two) of the calling thread's core in a loop of independent multiply-adds on
// registers, the best slice of some 0.1 ms out of `seconds`. Needs a CPU that has the set.
double measured_peak_gflops(Isa isa, double seconds);

}  // namespace effnet::kernels
