#include "effnet/kernels/simd_avx512.h"
//
#include "effnet/kernels/depthwise_pair-inl.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {

constexpr auto kTable = depthwise_table(std::make_index_sequence<kDepthwises>());
std::span<const DepthwiseFn> depthwises_avx512() { return kTable; }

constexpr auto kPairTable = depthwise_pair_table(std::make_index_sequence<kDepthwisePairs>());
std::span<const DepthwisePairFn> depthwise_pairs_avx512() { return kPairTable; }

}  // namespace effnet::kernels
