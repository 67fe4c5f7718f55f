// The kernel tables of every instruction set: constants that the compiler writes into the program. So nothing runs
// before a set is chosen, and each set may be compiled with its own flags.
#pragma once

#include "effnet/kernels/kernels.h"
#include "effnet/kernels/training.h"

namespace effnet::kernels {

namespace portable {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace portable

namespace avx2 {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace avx2

namespace avx512 {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace avx512

namespace neon {
extern const KernelSet kKernels;
extern const TrainingSet kTraining;
}  // namespace neon

}  // namespace effnet::kernels
