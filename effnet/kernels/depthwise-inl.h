// The depthwise kernel, written once for all instruction sets. T consecutive outputs of a row stay in registers. For
// each row of the window, an input vector is loaded once and used for all outputs whose windows contain it.
#pragma once

#include <array>
#include <utility>

#include "effnet/kernels/epilogue-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

template <class V>
struct Constants {
  V bias, low, high;
};

// Computes the outputs [x, x + T). `lane` is the first of the block's 16 lanes that V holds.
template <int T, int kKernel, int kStride, Epilogue E, class V>
[[gnu::always_inline]] inline void depthwise_run(const DepthwiseArgs& args, std::int64_t lane, std::int64_t x,
                                                 const Constants<V>& constants, V& total) {
  V sums[T];
  EFFNET_UNROLL
  for (int t = 0; t < T; ++t) sums[t] = constants.bias;
  const auto window_row = [&](int ky) __attribute__((always_inline)) {
    const float* row = args.rows[ky] + x * kStride * kBlock + lane;
    const float* weight = args.weight + ky * kKernel * kBlock + lane;
    if constexpr (kWideIsTwo) {
      keep_base_pointer(row);
      keep_base_pointer(weight);
    }
    V weights[kKernel];
    EFFNET_UNROLL
    for (int kx = 0; kx < kKernel; ++kx) {
      weights[kx] = load<V>(weight + kx * kBlock);
      if constexpr (kWideIsTwo) keep_in_register(weights[kx]);
    }
    constexpr int kInputs = (T - 1) * kStride + kKernel;
    EFFNET_UNROLL
    for (int i = 0; i < kInputs; ++i) {
      V in = load<V>(row + i * kBlock);
      keep_in_register(in);
      EFFNET_UNROLL
      for (int kx = 0; kx < kKernel; ++kx) {
        if (i - kx < 0 || (i - kx) % kStride != 0 || (i - kx) / kStride >= T) continue;
        accumulate(sums[(i - kx) / kStride], in, weights[kx]);
      }
    }
  };
  if constexpr (kKernel <= kUnrolledWindow) {
    EFFNET_UNROLL
    for (int ky = 0; ky < kKernel; ++ky) window_row(ky);
  } else {
    for (int ky = 0; ky < kKernel; ++ky) window_row(ky);
  }
  float* out = args.out + x * kBlock + lane;
  if constexpr (kWideIsTwo) keep_base_pointer(out);
  EFFNET_UNROLL
  for (int t = 0; t < T; ++t) {
    total = add(total, store_with_epilogue<E>(out + t * kBlock, sums[t], constants.low, constants.high));
  }
}

template <int kKernel, int kStride, Epilogue E, class V>
[[gnu::always_inline]] inline void depthwise_lanes(const DepthwiseArgs& args, std::int64_t lane) {
  const Constants<V> constants{load<V>(args.bias + lane), broadcast<V>(args.low), broadcast<V>(args.high)};
  V total = args.sums != nullptr ? load<V>(args.sums + lane) : broadcast<V>(0);
  std::int64_t x = 0;
  const auto run = [&]<int T>() __attribute__((always_inline)) {
    depthwise_run<T, kKernel, kStride, E>(args, lane, x, constants, total);
    x += T;
  };
  if constexpr (kEqualRuns) {
    // The row is divided into runs of nearly equal length. Larger windows have more weights, so that fewer accumulators
    // fit in the registers.
    constexpr int kMost = kKernel == 3 ? kDepthwiseRun : kStride == 1 ? 8 : 7;
    static_assert(kMost <= 10, "the switch below has a case for each length");
    for (std::int64_t runs = (args.width + kMost - 1) / kMost; x < args.width; --runs) {
      switch ((args.width - x + runs - 1) / runs) {
        case 10:
          run.template operator()<10>();
          break;
        case 9:
          run.template operator()<9>();
          break;
        case 8:
          run.template operator()<8>();
          break;
        case 7:
          run.template operator()<7>();
          break;
        case 6:
          run.template operator()<6>();
          break;
        case 5:
          run.template operator()<5>();
          break;
        case 4:
          run.template operator()<4>();
          break;
        default:
          while (x < args.width) run.template operator()<1>();
      }
    }
  } else {
    while (x + kDepthwiseRun <= args.width) run.template operator()<kDepthwiseRun>();
    if constexpr (kDepthwiseRun > 3) {
      while (x + 3 <= args.width) run.template operator()<3>();
    }
    while (x < args.width) run.template operator()<1>();
  }
  if (args.sums != nullptr) store(args.sums + lane, total);
}

template <bool kHalf>
struct VectorOf {
  using Type = Wide;
};
template <>
struct VectorOf<true> {
  using Type = Half;
};

// If a Wide is two registers, the two halves of a block are processed one after the other. Then one input, kKernel
// weights and 8 accumulators fit into the registers. With all 16 lanes at once, only 4 accumulators would fit, because
// accumulators and weights would need two registers each.
template <int kKernel, int kStride, Epilogue E, bool kHalf>
void depthwise_row(const DepthwiseArgs& args) noexcept {
  if constexpr (kWideIsTwo) {
    for (std::int64_t lane = 0; lane < (kHalf ? 8 : 16); lane += 8)
      depthwise_lanes<kKernel, kStride, E, Half>(args, lane);
  } else {
    depthwise_lanes<kKernel, kStride, E, typename VectorOf<kHalf>::Type>(args, 0);
  }
}

// [kernel: 3, 5, 7][stride: 1, 2][lanes: 16, 8][kEpilogues].
template <std::size_t... I>
constexpr auto depthwise_table(std::index_sequence<I...>) {
  return std::array<DepthwiseFn, sizeof...(I)>{
      depthwise_row<static_cast<int>(I / kEpilogues / 4) * 2 + 3, static_cast<int>(I / kEpilogues / 2 % 2) + 1,
                    static_cast<Epilogue>(I % kEpilogues), I / kEpilogues % 2 == 1>...};
}
constexpr auto kDepthwises = depthwise_table(std::make_index_sequence<3 * 2 * 2 * kEpilogues>());

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
