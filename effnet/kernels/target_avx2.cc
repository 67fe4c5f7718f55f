#include "effnet/kernels/simd_avx2.h"
//
#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::avx2 {

constinit const KernelSet kKernels = kernel_table(Isa::avx2);
constinit const TrainingSet kTraining = training_table(Isa::avx2);

}  // namespace effnet::kernels::avx2
