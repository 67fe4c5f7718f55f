// All kernels of one instruction set. A file in simd/ defines the vector types, includes this header, and defines the
// two tables.
//
// All functions are in an unnamed namespace inside the set's namespace, so that the linker cannot replace a function of
// one set by the function of another set. For the same reason kernels must not call functions of the standard library
// such as std::min or std::clamp: the linker keeps only one copy of such a function for the whole program, and this
// copy may contain instructions that only CPUs with this set have. tests/integration/test_target_symbols.py checks the
// symbols of the object files.
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
  constexpr auto kIndex = static_cast<int>(E);
  set.depthwise_any[kIndex] = depthwise_any<E>;
  set.map[kIndex] = map_block<E>;
  set.winograd_output[kIndex] = winograd_output<E>;
}

consteval KernelSet kernel_table(Isa isa) {
  KernelSet set{};
  set.target = {isa};
  set.tile = kTile;
  set.heights = kHeights;
  while (kHeights[set.wide_heights] > kTallest) ++set.wide_heights;
  set.cascade_pixels = kCascadePixels;
  set.cache_bytes = kCacheBytes;
  set.prefetch_interval = kPrefetchInterval;
  set.gemms = kGemms;
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
