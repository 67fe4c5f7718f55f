// What kernels do to a value before it is stored. Needs the vectors of a set (simd/) before it.
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

// Addresses are constants from this pointer. GCC would else make a pointer, or an index, of every one of them, count
// them all in loops and spill them.
template <class Float>
[[gnu::always_inline]] inline void one_pointer(Float*& pointer) {
  asm("" : "+r"(pointer));
}

// to = finish(value), and nothing of it before this point: with all registers full of sums the compiler's scheduler
// would interleave several values' epilogues and spill. The processor reorders without that limit. low and high are the
// same in every lane; a Wide that is two registers is finished one by one.
template <Epilogue E, class V>
[[gnu::always_inline]] inline V finish_and_store(float* to, V value, V low, V high) {
  if constexpr (kWideIsTwo && sizeof(V) == sizeof(Wide)) {
    value.low = finish_and_store<E>(to, value.low, low.low, high.low);
    value.high = finish_and_store<E>(to + 8, value.high, low.low, high.low);
  } else {
    compiler_barrier(value);
    value = finish<E>(value, low, high);
    store(to, value);
  }
  return value;
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
