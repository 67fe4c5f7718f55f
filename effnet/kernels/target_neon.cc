#include "effnet/kernels/simd_neon.h"
//
#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::neon {

constinit const KernelSet kKernels = kernel_table(Isa::neon);
constinit const TrainingSet kTraining = training_table(Isa::neon);

}  // namespace effnet::kernels::neon
