// Computes two output rows of a depthwise convolution with stride 1 at once, by Winograd's algorithm in the vertical
// direction (Winograd 1980, Lavin and Gray 2016). In one window column, F(2, 3) computes two outputs from four rows
// with 4 multiplications instead of 6; F(2, 2) computes two outputs from three rows with 3 instead of 4. A 5x5 window
// uses F(2, 3) for its upper three rows and F(2, 2) for its lower two: 5 * (4 + 3) = 35 multiply-adds for two outputs
// instead of 2 * 25 = 50. The transforms before and after the multiplications need additions only, which run in
// parallel with the multiply-adds.
//
// The code uses loops with constant bounds over a constant table. With one template per multiplication, GCC 12 would
// keep the inputs of one multiplication in registers for the next one and spill accumulators: a 5x5 window would take
// 35 cycles per vector instead of 27.
#pragma once

#include <array>
#include <utility>

#include "effnet/kernels/depthwise-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

// One multiplication: (row + sign * other) times a row of packed weights, added to one of four accumulators. row and
// other are indices of input rows; sign is 1, 0 or -1. Output 0 is kFirst + kBoth + kDifference; output 1 is
// kBoth - kDifference + kSecond.
enum Accumulator { kFirst, kBoth, kDifference, kSecond };
struct Term {
  int row, sign, other;
  Accumulator to;
};
template <int kKernel>
struct Terms;  // kAll has one term per position of the packed weights
template <>
struct Terms<3> {
  static constexpr Term kAll[] = {{0, -1, 2, kFirst}, {1, 1, 2, kBoth}, {2, -1, 1, kDifference}, {3, -1, 1, kSecond}};
};
template <>
struct Terms<5> {
  static constexpr Term kAll[] = {{0, -1, 2, kFirst}, {1, 1, 2, kBoth}, {2, -1, 1, kDifference}, {3, -1, 1, kSecond},
                                  {3, -1, 4, kFirst}, {4, 0, 4, kBoth}, {5, -1, 4, kSecond}};
};

// Computes T columns. Their accumulators stay in registers over all positions.
template <int T, int kKernel, Epilogue E, class V>
[[gnu::always_inline]] inline void depthwise_pair_run(const DepthwisePairArgs& args, std::int64_t x,
                                                      const Constants<V>& constants, V& total, V& second_total) {
  constexpr auto& kTerms = Terms<kKernel>::kAll;
  constexpr int kCount = depthwise_pair_positions(kKernel);
  V sums[4][T];
  EFFNET_UNROLL
  for (int s = 0; s < 4; ++s) {
    EFFNET_UNROLL
    for (int t = 0; t < T; ++t) sums[s][t] = s == kBoth ? constants.bias : V{};
  }
  EFFNET_UNROLL
  for (int p = 0; p < kCount; ++p) {
    V weights[kKernel];
    EFFNET_UNROLL
    for (int kx = 0; kx < kKernel; ++kx) {
      weights[kx] = load<V>(args.weight + (p * kKernel + kx) * kBlock);
      keep_in_register(weights[kx]);
    }
    const float* const a = args.rows[kTerms[p].row] + x * kBlock;
    const float* const b = args.rows[kTerms[p].other] + x * kBlock;
    EFFNET_UNROLL
    for (int i = 0; i < T + kKernel - 1; ++i) {
      V in = load<V>(a + i * kBlock);
      if (kTerms[p].sign > 0) in = add(in, load<V>(b + i * kBlock));
      if (kTerms[p].sign < 0) in = sub(in, load<V>(b + i * kBlock));
      keep_in_register(in);
      EFFNET_UNROLL
      for (int kx = 0; kx < kKernel; ++kx) {
        if (i - kx < 0 || i - kx >= T) continue;
        V& sum = sums[kTerms[p].to][i - kx];
        sum = fma(in, weights[kx], sum);
      }
    }
  }
  // sums[0] and sums[1] become the two outputs. This is done for all columns before the first epilogue, because the
  // epilogue needs the registers of the other accumulators.
  EFFNET_UNROLL
  for (int t = 0; t < T; ++t) {
    const V first = add(add(sums[kFirst][t], sums[kBoth][t]), sums[kDifference][t]);
    sums[1][t] = add(sub(sums[kBoth][t], sums[kDifference][t]), sums[kSecond][t]);
    sums[0][t] = first;
  }
  EFFNET_UNROLL
  for (int row = 0; row < 2; ++row) {
    if (args.out[row] == nullptr) return;
    EFFNET_UNROLL
    for (int t = 0; t < T; ++t) {
      V& to = row == 0 ? total : second_total;
      to = add(to,
               store_with_epilogue<E>(args.out[row] + (x + t) * kBlock, sums[row][t], constants.low, constants.high));
    }
  }
}

template <int kKernel, Epilogue E, bool kHalf>
void depthwise_pair(const DepthwisePairArgs& args) noexcept {
  using V = typename VectorOf<kHalf>::Type;
  constexpr std::int64_t kMost = 6;  // 24 accumulators, 5 weights and one input in 32 registers
  const Constants<V> constants{load<V>(args.bias), broadcast<V>(args.low), broadcast<V>(args.high)};
  V total = args.sums != nullptr ? load<V>(args.sums) : broadcast<V>(0), second_total = broadcast<V>(0);
  // The row is divided into runs of nearly equal length.
  std::int64_t x = 0;
  for (std::int64_t runs = (args.width + kMost - 1) / kMost; x < args.width; --runs) {
    const std::int64_t columns = (args.width - x + runs - 1) / runs;
    switch (columns) {
      case 6:
        depthwise_pair_run<6, kKernel, E>(args, x, constants, total, second_total);
        break;
      case 5:
        depthwise_pair_run<5, kKernel, E>(args, x, constants, total, second_total);
        break;
      case 4:
        depthwise_pair_run<4, kKernel, E>(args, x, constants, total, second_total);
        break;
      case 3:
        depthwise_pair_run<3, kKernel, E>(args, x, constants, total, second_total);
        break;
      default:
        for (std::int64_t c = 0; c < columns; ++c)
          depthwise_pair_run<1, kKernel, E>(args, x + c, constants, total, second_total);
    }
    x += columns;
  }
  if (args.sums != nullptr) store(args.sums, add(total, second_total));
}

// Measured on Zen 4. Widths of 7 and 14 are multiples of the 7 outputs that the kernel for one row computes at a time;
// for them that kernel reads less memory than the pair kernel and makes a step 2 to 3 % faster. With 3x3 windows, the
// saved multiply-adds make pairs faster only if the epilogue is not a clamp.
bool pairs_are_faster(std::int64_t kernel, std::int64_t width, Epilogue epilogue) noexcept {
  return width != 7 && width != 14 && (kernel == 5 || epilogue != Epilogue::clamp);
}

// [kernel: 3, 5][lanes: 16, 8][kEpilogues].
template <std::size_t... I>
constexpr auto depthwise_pair_table(std::index_sequence<I...>) {
  return std::array<DepthwisePairFn, sizeof...(I)>{
      depthwise_pair<static_cast<int>(I / kEpilogues / 2) * 2 + 3, static_cast<Epilogue>(I % kEpilogues),
                     I / kEpilogues % 2 == 1>...};
}
constexpr auto kDepthwisePairs = depthwise_pair_table(std::make_index_sequence<2 * 2 * kEpilogues>());

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
