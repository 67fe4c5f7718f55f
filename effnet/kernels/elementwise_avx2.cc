#include "effnet/kernels/simd_avx2.h"
//
#include "effnet/kernels/elementwise-inl.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {

void fill_elementwise_avx2(KernelSet& set) { fill_elementwise(set); }

}  // namespace effnet::kernels
