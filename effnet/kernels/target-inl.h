// All kernels of one instruction set. Its file in simd/ defines the vectors, includes this, and defines the two tables.
//
// Everything is in the set's own namespace and unnamed in it: no symbol of a set can stand in for another's. Nothing of
// the standard library that is a function may be used where it would become code (std::min, std::clamp): such functions
// are shared by the whole program, and the linker would keep the copy that only this set's CPUs can run. A test looks
// at the symbols of the object files (tests/integration/test_target_symbols.py).
#pragma once

#include "effnet/kernels/depthwise-inl.h"
#include "effnet/kernels/elementwise-inl.h"
#include "effnet/kernels/gemm-inl.h"
#include "effnet/kernels/peak-inl.h"
#include "effnet/kernels/training-inl.h"
#include "effnet/kernels/winograd-inl.h"

namespace effnet::kernels::EFFNET_TARGET {

extern const KernelSet kKernels;
extern const TrainingSet kTraining;

namespace {

template <Epilogue E>
constexpr void add_epilogue(KernelSet& set) {
  constexpr auto kPlace = static_cast<int>(E);
  set.depthwise_any[kPlace] = depthwise_any<E>;
  set.map[kPlace] = map_block<E>;
  set.winograd_output[kPlace] = winograd_output<E>;
}

consteval KernelSet kernel_table(Isa isa) {
  KernelSet set{};
  set.target = {isa};
  set.tile = kTile;
  set.heights = kHeights;
  while (kHeights[set.wide_heights] > kTallest) ++set.wide_heights;
  set.cascade_pixels = kCascadePixels;
  set.cache_bytes = kCacheBytes;
  set.ahead_every = kAheadEvery;
  set.products = kProducts;
  set.depthwises = kDepthwises;
  add_epilogue<Epilogue::clamp>(set);
  add_epilogue<Epilogue::silu>(set);
  add_epilogue<Epilogue::hard_swish>(set);
  set.max_pool = max_pool_row;
  set.average_pool = average_pool_row;
  set.sigmoid = sigmoid_block;
  set.sum = sum_block;
  set.winograd_input = winograd_input;
  set.scale_rows = scale_rows;
  set.peak_loop = peak_loop;
  set.peak_chains = kPeakChains;
  return set;
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
