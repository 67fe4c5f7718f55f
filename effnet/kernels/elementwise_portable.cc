#include "effnet/kernels/simd_portable.h"
//
#include "effnet/kernels/elementwise-inl.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {

void fill_elementwise_portable(KernelSet& set) { fill_elementwise(set); }

}  // namespace effnet::kernels
