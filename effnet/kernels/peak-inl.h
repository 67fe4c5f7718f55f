// What a core can do at most: independent multiply-adds on registers, written once for every instruction set.
#pragma once

#include "effnet/kernels/epilogue-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

// A multiply-add takes 4 cycles on the CPUs known, with up to 4 units for it: kPeakChains vectors are enough registers
// to fill them. The chains converge to 2: nothing overflows, nothing becomes denormal. keep_in_register hides that they
// start alike, since a compiler would compute one chain for all of them. Returns something made of every chain, so that
// none is left out.
float peak_loop(std::int64_t steps) noexcept {
  const Wide factor = broadcast<Wide>(0.5F), term = broadcast<Wide>(1);
  Wide chains[kPeakChains];
  EFFNET_UNROLL
  for (int i = 0; i < kPeakChains; ++i) {
    chains[i] = term;
    keep_in_register(chains[i]);
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    EFFNET_UNROLL
    for (int i = 0; i < kPeakChains; ++i) chains[i] = fma(chains[i], factor, term);
  }
  EFFNET_UNROLL
  for (int i = 1; i < kPeakChains; ++i) chains[0] = add(chains[0], chains[i]);
  float sums[kBlock];
  store(sums, chains[0]);
  return sums[0];
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
