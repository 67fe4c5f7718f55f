#include "effnet/kernels/simd_avx512.h"
//
#include "effnet/kernels/depthwise-inl.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {

constexpr auto kTable = depthwise_table(std::make_index_sequence<kDepthwises>());
std::span<const DepthwiseFn> depthwises_avx512() { return kTable; }

}  // namespace effnet::kernels
