// The epilogue: the function that a kernel applies to a value before it stores the value. A file in simd/ includes this
// header after it has defined the vector types.
#pragma once

#include "effnet/kernels/kernels.h"

#define EFFNET_UNROLL _Pragma("GCC unroll 32")

namespace effnet::kernels::EFFNET_TARGET {
namespace {

template <Epilogue E, class V>
[[gnu::always_inline]] inline V apply_epilogue(V x, [[maybe_unused]] V low, [[maybe_unused]] V high) {
  if constexpr (E == Epilogue::silu) {
    return div(x, one_plus_exp_of_minus(x));
  } else if constexpr (E == Epilogue::hard_swish) {
    const V factor =
        at_most(at_least(fma(x, broadcast<V>(1.0F / 6), broadcast<V>(0.5F)), broadcast<V>(0)), broadcast<V>(1));
    return mul(x, factor);
  } else {
    return at_most(at_least(x, low), high);
  }
}

// Hides the pointer's origin from the compiler, so that all addresses are constant offsets from this one pointer.
// Without it GCC keeps a pointer or an index for each address, increments all of them in the loop, and spills them.
template <class Float>
[[gnu::always_inline]] inline void keep_base_pointer(Float*& pointer) {
  asm("" : "+r"(pointer));
}

// Stores apply_epilogue(value) in `to` and returns it. The compiler barrier keeps the compiler from starting the
// epilogue earlier: while all registers hold accumulators, its scheduler would interleave the epilogues of several
// values and spill. The barrier does not limit the processor's own reordering. All lanes of `low` have the same value,
// and all lanes of `high`. If V is two registers, they are processed one after the other.
template <Epilogue E, class V>
[[gnu::always_inline]] inline V store_with_epilogue(float* to, V value, V low, V high) {
  if constexpr (kWideIsTwo && sizeof(V) == sizeof(Wide)) {
    value.low = store_with_epilogue<E>(to, value.low, low.low, high.low);
    value.high = store_with_epilogue<E>(to + 8, value.high, low.low, high.low);
  } else {
    compiler_barrier(value);
    value = apply_epilogue<E>(value, low, high);
    store(to, value);
  }
  return value;
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
