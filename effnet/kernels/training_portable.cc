#include "effnet/kernels/simd_portable.h"
//
#include "effnet/kernels/tables.h"
#include "effnet/kernels/training-inl.h"

namespace effnet::kernels {

void fill_training_portable(TrainingSet& set) { fill_training(set); }

}  // namespace effnet::kernels
