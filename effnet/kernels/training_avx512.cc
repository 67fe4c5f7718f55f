#include "effnet/kernels/simd_avx512.h"
//
#include "effnet/kernels/tables.h"
#include "effnet/kernels/training-inl.h"

namespace effnet::kernels {

void fill_training_avx512(TrainingSet& set) { fill_training(set); }

}  // namespace effnet::kernels
