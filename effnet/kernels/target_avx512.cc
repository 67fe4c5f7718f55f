#include "effnet/kernels/simd_avx512.h"
//
#include "effnet/kernels/depthwise_pair-inl.h"
#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::avx512 {
namespace {

consteval KernelSet with_pairs(KernelSet set) {
  set.depthwise_pairs = kDepthwisePairs;
  set.pairs_pay = pairs_pay;
  return set;
}

}  // namespace

constinit const KernelSet kKernels = with_pairs(kernel_table(Isa::avx512));
constinit const TrainingSet kTraining = training_table(Isa::avx512);

}  // namespace effnet::kernels::avx512
