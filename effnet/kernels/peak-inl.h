// What a core can do at most: independent multiply-adds on registers, written once for every instruction set.
#pragma once

#include "effnet/kernels/epilogue-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

// A multiply-add takes 4 cycles on the CPUs known, with up to 4 units for it: kPeakChains vectors are enough registers
// to fill them. `values`: 16 floats a chain, read and written, so that a compiler can neither leave a chain out nor
// compute one for all. Adding a 2^30th of a value to it does not change it: nothing overflows, nothing becomes
// denormal. The sum is a factor too, since NEON's multiply-add overwrites its third operand: a chain through a factor
// alone would be copied at each step.
void peak_loop(std::int64_t steps, float* values) noexcept {
  const Wide factor = broadcast<Wide>(0x1p-30F);
  Wide chains[kPeakChains];
  EFFNET_UNROLL
  for (int i = 0; i < kPeakChains; ++i) chains[i] = load<Wide>(values + i * kBlock);
  for (std::int64_t step = 0; step < steps; ++step) {
    EFFNET_UNROLL
    for (int i = 0; i < kPeakChains; ++i) chains[i] = fma(chains[i], factor, chains[i]);
  }
  EFFNET_UNROLL
  for (int i = 0; i < kPeakChains; ++i) store(values + i * kBlock, chains[i]);
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
