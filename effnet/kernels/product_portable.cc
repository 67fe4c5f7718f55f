#include "effnet/kernels/simd_portable.h"
//
#include "effnet/kernels/product-inl.h"
#include "effnet/kernels/tables.h"

namespace effnet::kernels {

constexpr auto kTable = product_table(std::make_index_sequence<kProducts>());
std::span<const ProductFn> products_portable() { return kTable; }

}  // namespace effnet::kernels
