#include "effnet/kernels/simd_portable.h"
//
#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::portable {

constinit const KernelSet kKernels = kernel_table(Isa::portable);
constinit const TrainingSet kTraining = training_table(Isa::portable);

}  // namespace effnet::kernels::portable
