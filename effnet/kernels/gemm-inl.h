// The GEMM kernel, written once for all instruction sets. A tile of P pixels x kLanes output channels stays in
// registers over the whole depth. Each step of k multiplies P broadcast input values by one row of packed weights.
#pragma once

#include <array>
#include <iterator>
#include <utility>

#include "effnet/kernels/epilogue-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

template <int P, int kLanes, Epilogue E>
void gemm_tile(const GemmArgs& args) noexcept {
  constexpr int kWides = kLanes / 16;
  constexpr bool kHalf = kLanes % 16 != 0;
  Wide sums[P][kWides > 0 ? kWides : 1];
  [[maybe_unused]] Half halves[P];
  EFFNET_UNROLL
  for (int p = 0; p < P; ++p) {
    EFFNET_UNROLL
    for (int v = 0; v < kWides; ++v) sums[p][v] = load<Wide>(args.bias + 16 * v);
    if constexpr (kHalf) halves[p] = load<Half>(args.bias + 16 * kWides);
  }

  const float* a = args.a;
  const float* w = args.weight;
  const float* prefetched = args.prefetch_address;
  const auto step = [&](const float* at) __attribute__((always_inline)) {
    [[maybe_unused]] Wide weights[kWides > 0 ? kWides : 1];
    [[maybe_unused]] Half half_weights;
    EFFNET_UNROLL
    for (int v = 0; v < kWides; ++v) {
      weights[v] = load<Wide>(w + 16 * v);
      if constexpr (P > 2) keep_in_register(weights[v]);  // tiles of 1 or 2 pixels use each weight only once or twice
    }
    if constexpr (kHalf) {
      half_weights = load<Half>(w + 16 * kWides);
      if constexpr (P > 2) keep_in_register(half_weights);
    }
    EFFNET_UNROLL
    for (int p = 0; p < P; ++p) {
      if constexpr (kWides > 0) {
        const Wide x = broadcast<Wide>(at[16 * p]);
        EFFNET_UNROLL
        for (int v = 0; v < kWides; ++v) accumulate(sums[p][v], x, weights[v]);
        if constexpr (kHalf) accumulate(halves[p], lower_half(x), half_weights);
      } else {
        accumulate(halves[p], broadcast<Half>(at[16 * p]), half_weights);
      }
    }
    w += kLanes;
  };
  for (std::int64_t segment = 1; segment <= args.segments; ++segment) {
    const std::int64_t depth = segment == args.segments ? args.last_depth : args.depth;
    std::int64_t k = 0;
    for (; k + 4 <= depth; k += 4) {
      EFFNET_UNROLL
      for (int u = 0; u < 4; ++u) {
        step(a + k + u);
        if constexpr (P <= 2) prefetch(prefetched + 16);  // such a tile needs new weights after a few cycles
        if (u % kPrefetchInterval != 0) continue;
        prefetch(prefetched);
        prefetched += args.prefetch_step;
      }
    }
    for (; k < depth; ++k) step(a + k);
    a += args.a_segment;
    prefetched += args.prefetch_segment_step;
  }

  if (args.residual != nullptr) {
    EFFNET_UNROLL
    for (int p = 0; p < P; ++p) {
      const float* const other = args.residual + args.offsets[p];
      EFFNET_UNROLL
      for (int v = 0; v < kWides; ++v) sums[p][v] = add(sums[p][v], load<Wide>(other + v * args.out_block));
      if constexpr (kHalf) halves[p] = add(halves[p], load<Half>(other + kWides * args.out_block));
    }
  }
  [[maybe_unused]] const Wide low = broadcast<Wide>(args.low), high = broadcast<Wide>(args.high);
  float* const first_out = args.out;
  const std::int32_t* const offsets = args.offsets;
  const std::int64_t out_block = args.out_block;
  EFFNET_UNROLL
  for (int p = 0; p < P; ++p) {
    float* const out = first_out + offsets[p];
    EFFNET_UNROLL
    for (int v = 0; v < kWides; ++v) store_with_epilogue<E>(out + v * out_block, sums[p][v], low, high);
    if constexpr (kHalf) store_with_epilogue<E>(out + kWides * out_block, halves[p], lower_half(low), lower_half(high));
  }
}

// Returns null if tiles of kLanes channels do not have the height P.
template <int P, int kLanes, Epilogue E>
constexpr GemmFn gemm_entry() {
  if constexpr (kLanes > 8 && P > kTallest) {
    return nullptr;
  } else {
    return gemm_tile<P, kLanes, E>;
  }
}

// [index into heights][lanes / 8 - 1][kEpilogues].
template <std::size_t... I>
constexpr auto gemm_table(std::index_sequence<I...>) {
  constexpr std::size_t kWidths = kTile / 8;
  return std::array<GemmFn, sizeof...(I)>{
      gemm_entry<kHeights[I / kEpilogues / kWidths], static_cast<int>(I / kEpilogues % kWidths + 1) * 8,
                 static_cast<Epilogue>(I % kEpilogues)>()...};
}
constexpr auto kGemms = gemm_table(std::make_index_sequence<std::size(kHeights) * (kTile / 8) * kEpilogues>());

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
