#include "effnet/kernels/simd_avx2.h"
//
#include "effnet/kernels/product-inl.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {

constexpr auto kTable = product_table(std::make_index_sequence<kProducts>());
std::span<const ProductFn> products_avx2() { return kTable; }

}  // namespace effnet::kernels
