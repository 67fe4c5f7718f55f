// What kernels do to a value before it is stored. Needs one of the simd_*.h before it.
#pragma once

#include "effnet/kernels/kernels.h"

#define EFFNET_UNROLL _Pragma("GCC unroll 32")

namespace effnet::kernels::EFFNET_TARGET {
namespace {

template <Epilogue E, class V>
[[gnu::always_inline]] inline V finish(V x, [[maybe_unused]] V low, [[maybe_unused]] V high) {
  if constexpr (E == Epilogue::silu) {
    return div(x, one_plus_exp_of_minus(x));
  } else if constexpr (E == Epilogue::hard_swish) {
    const V gate =
        at_most(at_least(fma(x, broadcast<V>(1.0F / 6), broadcast<V>(0.5F)), broadcast<V>(0)), broadcast<V>(1));
    return mul(x, gate);
  } else {
    return at_most(at_least(x, low), high);
  }
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
