// Two rows of a depthwise convolution with stride 1 at once, by Winograd's algorithm down the columns (Winograd 1980,
// Lavin and Gray 2016): F(2, 3) makes two outputs of four rows by 4 products instead of 6, F(2, 2) of three rows by 3
// instead of 4. A 5x5 window is three rows F(2, 3) above two rows F(2, 2): 35 multiply-adds for two outputs, not 50.
// Both have nothing but additions around the products, which run beside multiply-adds.
//
// What follows is loops with constant bounds over a constant table for a reason: written with a template for each
// product GCC 12 keeps a product's inputs for the next one and spills sums, and k5 takes 35 cycles a vector, not 27.
#pragma once

#include <array>
#include <utility>

#include "effnet/kernels/depthwise-inl.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

// One product of input rows by a row of packed weights: row `a`, plus or minus row `b`, into one of four sums.
// Output 0 is first + both + difference, output 1 both - difference + second.
enum Sum { kFirst, kBoth, kDifference, kSecond };
struct Position {
  int a, sign, b;
  Sum sum;
};
template <int kKernel>
struct Positions;
template <>
struct Positions<3> {
  static constexpr Position kAt[] = {
      {0, -1, 2, kFirst}, {1, 1, 2, kBoth}, {2, -1, 1, kDifference}, {3, -1, 1, kSecond}};
};
template <>
struct Positions<5> {
  static constexpr Position kAt[] = {{0, -1, 2, kFirst}, {1, 1, 2, kBoth}, {2, -1, 1, kDifference}, {3, -1, 1, kSecond},
                                     {3, -1, 4, kFirst}, {4, 0, 4, kBoth}, {5, -1, 4, kSecond}};
};

// T columns. Their sums stay in registers while position after position passes, each with its weights.
template <int T, int kKernel, Epilogue E, class V>
[[gnu::always_inline]] inline void depthwise_pair_run(const DepthwisePairArgs& args, std::int64_t x,
                                                      const Constants<V>& constants, V& total, V& second_total) {
  constexpr auto& kAt = Positions<kKernel>::kAt;
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
    const float* const a = args.rows[kAt[p].a] + x * kBlock;
    const float* const b = args.rows[kAt[p].b] + x * kBlock;
    EFFNET_UNROLL
    for (int i = 0; i < T + kKernel - 1; ++i) {
      V in = load<V>(a + i * kBlock);
      if (kAt[p].sign > 0) in = add(in, load<V>(b + i * kBlock));
      if (kAt[p].sign < 0) in = sub(in, load<V>(b + i * kBlock));
      keep_in_register(in);
      EFFNET_UNROLL
      for (int kx = 0; kx < kKernel; ++kx) {
        if (i - kx < 0 || i - kx >= T) continue;
        V& sum = sums[kAt[p].sum][i - kx];
        sum = fma(in, weights[kx], sum);
      }
    }
  }
  // From here on the first two are the outputs. All of them before the first epilogue, which needs the registers.
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
      to = add(to, finish_and_store<E>(args.out[row] + (x + t) * kBlock, sums[row][t], constants.low, constants.high));
    }
  }
}

template <int kKernel, Epilogue E, bool kHalf>
void depthwise_pair(const DepthwisePairArgs& args) noexcept {
  using V = typename VectorOf<kHalf>::Type;
  constexpr std::int64_t kMost = 6;  // 24 sums, 5 weights and an input in 32 registers
  const Constants<V> constants{load<V>(args.bias), broadcast<V>(args.low), broadcast<V>(args.high)};
  V total = args.sums != nullptr ? load<V>(args.sums) : broadcast<V>(0), second_total = broadcast<V>(0);
  // Runs of equal length, as nearly as may be.
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

// Measured on Zen 4. Rows of 7 and 14 are whole runs of the kernel that makes one row, which reads less: 2 to 3 % of a
// step. With 3 x 3 windows pairs save multiply-adds that only an activation after them can use.
bool pairs_pay(std::int64_t kernel, std::int64_t width, Epilogue epilogue) noexcept {
  return width != 7 && width != 14 && (kernel == 5 || epilogue != Epilogue::clamp);
}

// [2 kernels][2 halves][kEpilogues].
template <std::size_t... I>
constexpr auto depthwise_pair_table(std::index_sequence<I...>) {
  return std::array<DepthwisePairFn, sizeof...(I)>{
      depthwise_pair<static_cast<int>(I / kEpilogues / 2) * 2 + 3, static_cast<Epilogue>(I % kEpilogues),
                     I / kEpilogues % 2 == 1>...};
}
constexpr auto kDepthwisePairs = depthwise_pair_table(std::make_index_sequence<2 * 2 * kEpilogues>());

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
