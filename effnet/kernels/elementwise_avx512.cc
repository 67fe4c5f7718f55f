#include "effnet/kernels/simd_avx512.h"
//
#include "effnet/kernels/elementwise-inl.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {

void fill_elementwise_avx512(KernelSet& set) { fill_elementwise(set); }

}  // namespace effnet::kernels
