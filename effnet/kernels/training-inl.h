// Kernels of training, written once for every instruction set.
#pragma once

#include "effnet/kernels/epilogue-inl.h"
#include "effnet/kernels/training.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

template <class V>
struct ValueAndDerivative {
  V value, derivative;
};

// f(z) and f'(z). At a bend the derivative is 0, at -3 and 3 of hard swish that of the parabola's outside.
template <Epilogue E, class V>
[[gnu::always_inline]] inline ValueAndDerivative<V> activated(V z, [[maybe_unused]] V low, [[maybe_unused]] V high) {
  if constexpr (E == Epilogue::silu) {
    const V sigmoid = div(broadcast<V>(1), one_plus_exp_of_minus(z));
    const V value = mul(z, sigmoid);
    return {value, fma(value, sub(broadcast<V>(1), sigmoid), sigmoid)};
  } else if constexpr (E == Epilogue::hard_swish) {
    const V bend = inside(z, broadcast<V>(-3), broadcast<V>(3));
    const V above = inside(z, broadcast<V>(3), broadcast<V>(__builtin_inff()));
    return {finish<E>(z, low, high), fma(bend, fma(z, broadcast<V>(1.0F / 3), broadcast<V>(0.5F)), above)};
  } else {
    return {finish<E>(z, low, high), inside(z, low, high)};
  }
}

// Calls body<V>(lane, first, count) for the pixels of a channel block: once for all of it; or, where a Wide is two
// registers and what a loop reads once would not fit beside both, for one half of the lanes after the other, some
// pixels at a time, so that they stay in the first-level cache. Pixels come in order, whichever way.
template <class Body>
[[gnu::always_inline]] inline void over_lanes(std::int64_t pixels, Body body) {
  if constexpr (kWideIsTwo) {
    constexpr std::int64_t kPart = 64;
    for (std::int64_t first = 0; first < pixels; first += kPart) {
      const std::int64_t count = pixels - first < kPart ? pixels - first : kPart;
      body.template operator()<Half>(0, first, count);
      body.template operator()<Half>(8, first, count);
    }
  } else {
    body.template operator()<Wide>(0, 0, pixels);
  }
}

void moments_block(const float* y, std::int64_t pixels, float* moments) noexcept {
  constexpr int kChains = kMomentChains;  // the processor adds several at once; each chain is summed in order
  const Wide pivot = load<Wide>(moments);
  Wide sums[kChains], squares[kChains];
  EFFNET_UNROLL
  for (int i = 0; i < kChains; ++i) sums[i] = squares[i] = broadcast<Wide>(0);
  const auto take = [&](const float* at, int i) __attribute__((always_inline)) {
    const Wide d = sub(load<Wide>(at), pivot);
    sums[i] = add(sums[i], d);
    squares[i] = fma(d, d, squares[i]);
  };
  std::int64_t p = 0;
  for (; p + kChains <= pixels; p += kChains) {
    EFFNET_UNROLL
    for (int i = 0; i < kChains; ++i) take(y + (p + i) * kBlock, i);
  }
  for (; p < pixels; ++p) take(y + p * kBlock, 0);
  for (int i = 1; i < kChains; ++i) {
    sums[0] = add(sums[0], sums[i]);
    squares[0] = add(squares[0], squares[i]);
  }
  store(moments + kBlock, add(load<Wide>(moments + kBlock), sums[0]));
  store(moments + 2 * kBlock, add(load<Wide>(moments + 2 * kBlock), squares[0]));
}

// Large tensors come from memory while an activation computes: floats that are fetched ahead, 32 pixels.
constexpr std::int64_t kAhead = 512;

// What an activation's loops read once, in the lanes of V from `lane` on.
template <class V>
struct Activation {
  explicit Activation(const ActivationArgs& args, std::int64_t lane = 0)
      : scale(load<V>(args.scale + lane)),
        shift(load<V>(args.shift + lane)),
        low(broadcast<V>(args.low)),
        high(broadcast<V>(args.high)) {}
  V z(const float* y) const {
    prefetch(y + kAhead);
    return fma(load<V>(y), scale, shift);
  }
  V scale, shift, low, high;
};

template <Epilogue E>
void activate_block(const ActivationArgs& args, float* out) noexcept {
  const Activation<Wide> f(args);
  if (args.gate == nullptr) {
    for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
      store(out + i, finish<E>(f.z(args.y + i), f.low, f.high));
    }
    return;
  }
  const Wide gate = load<Wide>(args.gate);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    store(out + i, mul(gate, finish<E>(f.z(args.y + i), f.low, f.high)));
  }
}

template <Epilogue E>
void activate_sum_block(const ActivationArgs& args, float* sums) noexcept {
  const Activation<Wide> f(args);
  Wide total = load<Wide>(sums);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    total = add(total, finish<E>(f.z(args.y + i), f.low, f.high));
  }
  store(sums, total);
}

template <Epilogue E>
void activate_both_block(const ActivationArgs& args, float* out, float* derivative) noexcept {
  const Activation<Wide> f(args);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    const ValueAndDerivative<Wide> both = activated<E>(f.z(args.y + i), f.low, f.high);
    store(out + i, both.value);
    store(derivative + i, both.derivative);
  }
}

template <Epilogue E>
void se_backward_block(const ActivationArgs& args, const float* d, float* out, float* sums) noexcept {
  over_lanes(
      args.pixels, [&]<class V>(std::int64_t lane, std::int64_t first, std::int64_t count)
                       __attribute__((always_inline)) {
                         const Activation<V> f(args, lane);
                         const V inverse = load<V>(args.inverse + lane), offset = load<V>(args.offset + lane);
                         const V gate = args.gate != nullptr ? load<V>(args.gate + lane) : broadcast<V>(1);
                         const std::int64_t at = first * kBlock + lane;
                         V totals[kGateSums];
                         EFFNET_UNROLL
                         for (int i = 0; i < kGateSums; ++i) totals[i] = load<V>(sums + i * kBlock + lane);
                         for (std::int64_t i = at; i < at + count * kBlock; i += kBlock) {
                           prefetch(args.y + i + kAhead);
                           const V y = load<V>(args.y + i), gradient = load<V>(d + i);
                           const ValueAndDerivative<V> both = activated<E>(fma(y, f.scale, f.shift), f.low, f.high);
                           const V xhat = fma(y, inverse, offset), behind = mul(gradient, both.derivative);
                           totals[0] = fma(gradient, both.value, totals[0]);
                           totals[1] = add(totals[1], behind);
                           totals[2] = fma(behind, xhat, totals[2]);
                           totals[3] = add(totals[3], both.derivative);
                           totals[4] = fma(both.derivative, xhat, totals[4]);
                           if (out != nullptr) store(out + i, mul(gate, both.value));
                         }
                         EFFNET_UNROLL
                         for (int i = 0; i < kGateSums; ++i) store(sums + i * kBlock + lane, totals[i]);
                       });
}

template <Epilogue E>
void activated_gradient_block(const ActivationArgs& args, const GradientArgs& gradient) noexcept {
  const Activation<Wide> f(args);
  const Wide factor = load<Wide>(gradient.factor), mean = load<Wide>(gradient.mean);
  const Wide c1 = load<Wide>(gradient.c1), c2 = load<Wide>(gradient.c2);
  float* out = gradient.out;
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock, out += gradient.out_step) {
    prefetch(args.y + i + kAhead);
    prefetch(gradient.d + i + kAhead);
    const Wide y = load<Wide>(args.y + i);
    const ValueAndDerivative<Wide> both = activated<E>(fma(y, f.scale, f.shift), f.low, f.high);
    store(out, fma(both.derivative, fma(load<Wide>(gradient.d + i), factor, mean), fma(y, c1, c2)));
  }
}

void gradient_block(const float* y, const GradientArgs& gradient, std::int64_t pixels) noexcept {
  const Wide factor = load<Wide>(gradient.factor), c1 = load<Wide>(gradient.c1), c2 = load<Wide>(gradient.c2);
  for (std::int64_t i = 0; i < pixels * kBlock; i += kBlock) {
    prefetch(y + i + kAhead);
    prefetch(gradient.d + i + kAhead);
    store(gradient.out + i, fma(load<Wide>(gradient.d + i), factor, fma(load<Wide>(y + i), c1, c2)));
  }
}

void reduce_block(const ReduceArgs& args) noexcept {
  const Wide inverse = load<Wide>(args.inverse), offset = load<Wide>(args.offset);
  Wide total = load<Wide>(args.sums), normalised = load<Wide>(args.sums + kBlock);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    Wide dz = load<Wide>(args.d + i);
    if (args.derivative != nullptr) dz = mul(dz, load<Wide>(args.derivative + i));
    total = add(total, dz);
    normalised = fma(dz, fma(load<Wide>(args.y + i), inverse, offset), normalised);
    if (args.out == nullptr) continue;
    args.stream ? stream(args.out + i, dz) : store(args.out + i, dz);
  }
  store(args.sums, total);
  store(args.sums + kBlock, normalised);
  if (args.stream) end_streams();
}

// Pixel by pixel, so that rows are read and written as memory streams.
void gather_rows(const RowsArgs& args) noexcept {
  const std::int64_t whole = args.channels / kBlock, rest = args.channels % kBlock;
  for (std::int64_t p = 0; p < args.pixels; ++p) {
    const float* const from = args.from + p * args.channels;
    float* to = args.to + p * kBlock;
    for (std::int64_t b = 0; b < whole; ++b, to += args.block) store(to, load<Wide>(from + b * kBlock));
    if (rest > 0) store(to, load_first(from + whole * kBlock, rest));
  }
}

void scatter_rows(const RowsArgs& args) noexcept {
  const std::int64_t whole = args.channels / kBlock, rest = args.channels % kBlock;
  for (std::int64_t p = 0; p < args.pixels; ++p) {
    const float* from = args.from + p * kBlock;
    float* const to = args.to + p * args.channels;
    for (std::int64_t b = 0; b < whole; ++b, from += args.block) store(to + b * kBlock, load<Wide>(from));
    if (rest > 0) store_first(to + whole * kBlock, load<Wide>(from), rest);
  }
}

template <int kBlocks>
void weight_gradient(const WeightGradientArgs& args) noexcept {
  Wide sums[kWeightRows][kBlocks];
  EFFNET_UNROLL
  for (int r = 0; r < kWeightRows; ++r) {
    EFFNET_UNROLL
    for (int n = 0; n < kBlocks; ++n) sums[r][n] = broadcast<Wide>(0);
  }
  const float* a = args.a;
  const float* b[kBlocks];
  EFFNET_UNROLL
  for (int n = 0; n < kBlocks; ++n) b[n] = args.b + n * args.b_block;
  const auto step = [&](std::int64_t i) __attribute__((always_inline)) {
    Wide values[kBlocks];
    EFFNET_UNROLL
    for (int n = 0; n < kBlocks; ++n) {
      values[n] = load<Wide>(b[n] + i);
      keep_in_register(values[n]);
    }
    EFFNET_UNROLL
    for (int r = 0; r < kWeightRows; ++r) {
      const Wide x = broadcast<Wide>(a[i + r]);
      EFFNET_UNROLL
      for (int n = 0; n < kBlocks; ++n) accumulate(sums[r][n], x, values[n]);
    }
  };
  std::int64_t p = 0;
  for (; p + 4 <= args.pixels; p += 4) {
    EFFNET_UNROLL
    for (int u = 0; u < 4; ++u) {
      step((p + u) * kBlock);
      prefetch(args.ahead + (p + u) * kBlock);
    }
  }
  for (; p < args.pixels; ++p) step(p * kBlock);
  EFFNET_UNROLL
  for (int r = 0; r < kWeightRows; ++r) {
    EFFNET_UNROLL
    for (int n = 0; n < kBlocks; ++n) {
      float* const to = args.to + r * args.to_row + n * kBlock;
      store(to, args.accumulate ? add(load<Wide>(to), sums[r][n]) : sums[r][n]);
    }
  }
}

// Output rows [y, end) and kRows window rows from `first` on, in the lanes of V from `lane` on.
template <int kKernel, int kStride, int kRows, class V>
[[gnu::always_inline]] inline void depthwise_weight_rows(const DepthwiseWeightArgs& args, std::int64_t y,
                                                         std::int64_t end, int first, std::int64_t lane) {
  float* const to = args.to + first * kKernel * kBlock + lane;
  V sums[kRows * kKernel];
  EFFNET_UNROLL
  for (int i = 0; i < kRows * kKernel; ++i) sums[i] = load<V>(to + i * kBlock);
  for (; y < end; ++y) {
    const float* d = args.d[y] + lane;
    const float* rows[kRows];
    EFFNET_UNROLL
    for (int ky = 0; ky < kRows; ++ky) rows[ky] = args.rows[y * kStride + first + ky] + lane;
    for (std::int64_t x = 0; x < args.width * kStride * kBlock; x += kStride * kBlock, d += args.d_step) {
      V gradient = load<V>(d);
      keep_in_register(gradient);
      EFFNET_UNROLL
      for (int ky = 0; ky < kRows; ++ky) {
        EFFNET_UNROLL
        for (int kx = 0; kx < kKernel; ++kx)
          accumulate_at(sums[ky * kKernel + kx], rows[ky] + x + kx * kBlock, gradient);
      }
    }
  }
  EFFNET_UNROLL
  for (int i = 0; i < kRows * kKernel; ++i) store(to + i * kBlock, sums[i]);
}

// As many window rows at a time as have their sums in registers. Where that takes several passes (by window rows, or by
// halves of the lanes where a Wide is two registers), a few rows of the image at a time, which stay in the
// first-level cache.
template <int kKernel, int kStride>
void depthwise_weight(const DepthwiseWeightArgs& args) noexcept {
  constexpr int kFitting = kWeightSums / kKernel, kRows = kFitting < 1 ? 1 : kFitting > kKernel ? kKernel : kFitting;
  constexpr int kRest = kKernel % kRows;
  const std::int64_t part = kWideIsTwo ? 4 : args.height;
  const auto all = [&]<class V>(std::int64_t y, std::int64_t lane) __attribute__((always_inline)) {
    const std::int64_t end = y + part < args.height ? y + part : args.height;
    int first = 0;
    for (; first + kRows <= kKernel; first += kRows)
      depthwise_weight_rows<kKernel, kStride, kRows, V>(args, y, end, first, lane);
    if constexpr (kRest > 0) depthwise_weight_rows<kKernel, kStride, kRest, V>(args, y, end, first, lane);
  };
  for (std::int64_t y = 0; y < args.height; y += part) {
    if constexpr (kWideIsTwo) {
      for (std::int64_t lane = 0; lane < kBlock; lane += 8) all.template operator()<Half>(y, lane);
    } else {
      all.template operator()<Wide>(y, 0);
    }
  }
}

// kPairs pairs of neighbours: j + left = 2x is met by the even window columns 2m at d[x - m], the next by 2m + 1.
template <int kKernel, int kPairs, class V>
[[gnu::always_inline]] inline void spread_pairs(const DepthwiseDataGradientArgs& args, std::int64_t x,
                                                std::int64_t lane, V (&even)[kPairs], V (&odd)[kPairs]) {
  EFFNET_UNROLL
  for (int t = 0; t < kPairs; ++t) even[t] = odd[t] = broadcast<V>(0);
  for (std::int64_t i = 0; i < args.count; ++i) {
    const float* d = args.rows[i] + x * kBlock + lane;
    const float* weight = args.weight + args.window[i] * kKernel * kBlock + lane;
    if constexpr (kWideIsTwo) {
      one_pointer(d);
      one_pointer(weight);
    }
    EFFNET_UNROLL
    for (int m = 0; m <= kKernel / 2; ++m) {
      V at_even = load<V>(weight + 2 * m * kBlock);
      keep_in_register(at_even);
      EFFNET_UNROLL
      for (int t = 0; t < kPairs; ++t) accumulate_at(even[t], d + (t - m) * kBlock, at_even);
      if (2 * m + 1 < kKernel) {
        V at_odd = load<V>(weight + (2 * m + 1) * kBlock);
        keep_in_register(at_odd);
        EFFNET_UNROLL
        for (int t = 0; t < kPairs; ++t) accumulate_at(odd[t], d + (t - m) * kBlock, at_odd);
      }
    }
  }
}

template <int kKernel, class V>
[[gnu::always_inline]] inline void spread_lanes(const DepthwiseDataGradientArgs& args, std::int64_t lane) {
  constexpr int kPairs = kSpreadPairs;
  float* const out = args.out + lane;
  std::int64_t x = args.left / 2, j = x * 2 - args.left;  // j is -1 where left is odd
  while (j < args.width) {
    if (j >= 0 && j + 2 * kPairs <= args.width) {
      V even[kPairs], odd[kPairs];
      spread_pairs<kKernel, kPairs>(args, x, lane, even, odd);
      EFFNET_UNROLL
      for (int t = 0; t < kPairs; ++t) {
        store(out + (j + 2 * t) * kBlock, even[t]);
        store(out + (j + 2 * t + 1) * kBlock, odd[t]);
      }
      x += kPairs;
      j += 2 * kPairs;
    } else {
      V even[1], odd[1];
      spread_pairs<kKernel, 1>(args, x, lane, even, odd);
      if (j >= 0) store(out + j * kBlock, even[0]);
      if (j + 1 < args.width) store(out + (j + 1) * kBlock, odd[0]);
      ++x;
      j += 2;
    }
  }
}

template <int kKernel>
void depthwise_data_gradient(const DepthwiseDataGradientArgs& args) noexcept {
  if constexpr (kWideIsTwo) {
    for (std::int64_t lane = 0; lane < kBlock; lane += 8) spread_lanes<kKernel, Half>(args, lane);
  } else {
    spread_lanes<kKernel, Wide>(args, 0);
  }
}

template <Epilogue E>
constexpr void add_activation(TrainingSet& set) {
  constexpr auto kPlace = static_cast<int>(E);
  set.activate[kPlace] = activate_block<E>;
  set.activate_sum[kPlace] = activate_sum_block<E>;
  set.activate_both[kPlace] = activate_both_block<E>;
  set.se_backward[kPlace] = se_backward_block<E>;
  set.activated_gradient[kPlace] = activated_gradient_block<E>;
}

template <int kKernel>
constexpr void add_depthwise(TrainingSet& set) {
  set.depthwise_weights[kKernel / 2 - 1][0] = depthwise_weight<kKernel, 1>;
  set.depthwise_weights[kKernel / 2 - 1][1] = depthwise_weight<kKernel, 2>;
  set.depthwise_data_gradients[kKernel / 2 - 1] = depthwise_data_gradient<kKernel>;
}

consteval TrainingSet training_table(Isa isa) {
  TrainingSet set{};
  set.target = {isa};
  set.moments = moments_block;
  add_activation<Epilogue::clamp>(set);
  add_activation<Epilogue::silu>(set);
  add_activation<Epilogue::hard_swish>(set);
  set.gradient = gradient_block;
  set.reduce = reduce_block;
  set.gather = gather_rows;
  set.scatter = scatter_rows;
  set.weight_rows = kWeightRows;
  set.weight_blocks = kWeightBlocks;
  set.weight_gradient[0] = weight_gradient<1>;
  if constexpr (kWeightBlocks > 1) set.weight_gradient[1] = weight_gradient<kWeightBlocks>;
  add_depthwise<3>(set);
  add_depthwise<5>(set);
  add_depthwise<7>(set);
  return set;
}

}  // namespace
}  // namespace effnet::kernels::EFFNET_TARGET
