// The peak loop: independent multiply-adds on registers, written once for all instruction sets.
#pragma once

#include "effnet/kernels/epilogue-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

// On all known CPUs, a multiply-add has a latency of 4 cycles, and a core has up to 4 units for it. kPeakChains vectors
// occupy enough registers to keep all units busy. `values` has 16 floats per chain. The loop reads and writes them, so
// that the compiler can neither remove a chain nor merge two chains. Each step adds value * 2^-30 to the value, which
// rounding leaves unchanged: nothing overflows and nothing becomes denormal. A chain is both a factor and the addend of
// its multiply-add, because NEON's multiply-add overwrites the addend: a chain that was only a factor would need a
// register copy in each step.
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
