// The depthwise kernel, written once for every instruction set: a run of T outputs of one row held in registers. Each
// input vector is loaded once a window row and used by every output it belongs to.
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

template <int T, int kKernel, int kStride, Epilogue E, class V>
[[gnu::always_inline]] inline void depthwise_run(const DepthwiseArgs& args, std::int64_t x,
                                                 const Constants<V>& constants, V& total) {
  V sums[T];
  EFFNET_UNROLL
  for (int t = 0; t < T; ++t) sums[t] = constants.bias;
  const auto window_row = [&](int ky) __attribute__((always_inline)) {
    const float* const row = args.rows[ky] + x * kStride * kBlock;
    V weights[kKernel];
    EFFNET_UNROLL
    for (int kx = 0; kx < kKernel; ++kx) weights[kx] = load<V>(args.weight + (ky * kKernel + kx) * kBlock);
    constexpr int kInputs = (T - 1) * kStride + kKernel;
    EFFNET_UNROLL
    for (int i = 0; i < kInputs; ++i) {
      V in = load<V>(row + i * kBlock);
      keep_in_register(in);
      EFFNET_UNROLL
      for (int kx = 0; kx < kKernel; ++kx) {
        if (i - kx < 0 || (i - kx) % kStride != 0 || (i - kx) / kStride >= T) continue;
        sums[(i - kx) / kStride] = fma(in, weights[kx], sums[(i - kx) / kStride]);
      }
    }
  };
  if constexpr (kKernel <= kUnrolledWindow) {
    EFFNET_UNROLL
    for (int ky = 0; ky < kKernel; ++ky) window_row(ky);
  } else {
    for (int ky = 0; ky < kKernel; ++ky) window_row(ky);
  }
  EFFNET_UNROLL
  for (int t = 0; t < T; ++t) {
    keep_order(sums[t]);
    const V value = finish<E>(sums[t], constants.low, constants.high);
    total = add(total, value);
    store(args.out + (x + t) * kBlock, value);
  }
}

template <bool kHalf>
struct VectorOf {
  using Type = Wide;
};
template <>
struct VectorOf<true> {
  using Type = Half;
};

template <int kKernel, int kStride, Epilogue E, bool kHalf>
void depthwise_row(const DepthwiseArgs& args) noexcept {
  using V = typename VectorOf<kHalf>::Type;
  constexpr int kRun = kDepthwiseRun;
  const Constants<V> constants{load<V>(args.bias), broadcast<V>(args.low), broadcast<V>(args.high)};
  V total = args.sums != nullptr ? load<V>(args.sums) : broadcast<V>(0);
  std::int64_t x = 0;
  for (; x + kRun <= args.width; x += kRun) depthwise_run<kRun, kKernel, kStride, E>(args, x, constants, total);
  if constexpr (kRun > 3) {
    for (; x + 3 <= args.width; x += 3) depthwise_run<3, kKernel, kStride, E>(args, x, constants, total);
  }
  for (; x < args.width; ++x) depthwise_run<1, kKernel, kStride, E>(args, x, constants, total);
  if (args.sums != nullptr) store(args.sums, total);
}

// [3 kernels][2 strides][2 halves][kEpilogues].
template <std::size_t... I>
constexpr auto depthwise_table(std::index_sequence<I...>) {
  return std::array<DepthwiseFn, sizeof...(I)>{
      depthwise_row<static_cast<int>(I / kEpilogues / 4) * 2 + 3, static_cast<int>(I / kEpilogues / 2 % 2) + 1,
                    static_cast<Epilogue>(I % kEpilogues), I / kEpilogues % 2 == 1>...};
}
constexpr auto kDepthwises = depthwise_table(std::make_index_sequence<3 * 2 * 2 * kEpilogues>());

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
