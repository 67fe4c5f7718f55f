// Kernels of training, written once for all instruction sets.
#pragma once

#include "effnet/kernels/epilogue-inl.h"
#include "effnet/kernels/training.h"

namespace effnet::kernels::EFFNET_TARGET {
namespace {

template <class V>
struct ValueAndDerivative {
  V value, derivative;
};

// Returns f(z) and f'(z). At a kink f'(z) is set to 0: for clamp at `low` and `high`, for hard swish at -3 and 3.
template <Epilogue E, class V>
[[gnu::always_inline]] inline ValueAndDerivative<V> value_and_derivative(V z, [[maybe_unused]] V low,
                                                                         [[maybe_unused]] V high) {
  if constexpr (E == Epilogue::silu) {
    const V sigmoid = div(broadcast<V>(1), one_plus_exp_of_minus(z));
    const V value = mul(z, sigmoid);
    return {value, fma(value, sub(broadcast<V>(1), sigmoid), sigmoid)};
  } else if constexpr (E == Epilogue::hard_swish) {
    const V middle = inside(z, broadcast<V>(-3), broadcast<V>(3));
    const V above = inside(z, broadcast<V>(3), broadcast<V>(__builtin_inff()));
    return {apply_epilogue<E>(z, low, high), fma(middle, fma(z, broadcast<V>(1.0F / 3), broadcast<V>(0.5F)), above)};
  } else {
    return {apply_epilogue<E>(z, low, high), inside(z, low, high)};
  }
}

// Calls body<V>(lane, first, count) for the pixels of a channel block. Normally one call covers all lanes and pixels.
// If a Wide is two registers, the constants of a loop would not fit in registers for all 16 lanes. Then there is one
// call per half of the lanes and per 64 pixels; the pixels stay in the L1 cache until the second half of the lanes
// needs them. In both cases, the pixels of a lane are processed in order.
template <class Body>
[[gnu::always_inline]] inline void for_each_lane_range(std::int64_t pixels, Body body) {
  if constexpr (kWideIsTwo) {
    constexpr std::int64_t kMost = 64;
    for (std::int64_t first = 0; first < pixels; first += kMost) {
      const std::int64_t count = pixels - first < kMost ? pixels - first : kMost;
      body.template operator()<Half>(0, first, count);
      body.template operator()<Half>(8, first, count);
    }
  } else {
    body.template operator()<Wide>(0, 0, pixels);
  }
}

void moments_block(const float* y, std::int64_t pixels, float* moments) noexcept {
  // Several independent sums, which the processor computes in parallel. Each one adds its pixels in order.
  constexpr int kChains = kMomentChains;
  const Wide pivot = load<Wide>(moments);
  Wide sums[kChains], squares[kChains];
  EFFNET_UNROLL
  for (int i = 0; i < kChains; ++i) sums[i] = squares[i] = broadcast<Wide>(0);
  const auto add_pixel = [&](const float* at, int i) __attribute__((always_inline)) {
    const Wide d = sub(load<Wide>(at), pivot);
    sums[i] = add(sums[i], d);
    squares[i] = fma(d, d, squares[i]);
  };
  std::int64_t p = 0;
  for (; p + kChains <= pixels; p += kChains) {
    EFFNET_UNROLL
    for (int i = 0; i < kChains; ++i) add_pixel(y + (p + i) * kBlock, i);
  }
  for (; p < pixels; ++p) add_pixel(y + p * kBlock, 0);
  for (int i = 1; i < kChains; ++i) {
    sums[0] = add(sums[0], sums[i]);
    squares[0] = add(squares[0], squares[i]);
  }
  store(moments + kBlock, add(load<Wide>(moments + kBlock), sums[0]));
  store(moments + 2 * kBlock, add(load<Wide>(moments + 2 * kBlock), squares[0]));
}

// The activation kernels prefetch this number of floats ahead, which is 32 pixels. They need it because large tensors
// are not in the caches.
constexpr std::int64_t kPrefetchFloats = 512;

// The per-channel constants of an activation kernel, in the lanes of V from `lane` on.
template <class V>
struct Activation {
  explicit Activation(const ActivationArgs& args, std::int64_t lane = 0)
      : scale(load<V>(args.scale + lane)),
        shift(load<V>(args.shift + lane)),
        low(broadcast<V>(args.low)),
        high(broadcast<V>(args.high)) {}
  V z(const float* y) const {
    prefetch(y + kPrefetchFloats);
    return fma(load<V>(y), scale, shift);
  }
  V scale, shift, low, high;
};

template <Epilogue E>
void activate_block(const ActivationArgs& args, float* out) noexcept {
  const Activation<Wide> f(args);
  if (args.se_scale == nullptr) {
    for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
      store(out + i, apply_epilogue<E>(f.z(args.y + i), f.low, f.high));
    }
    return;
  }
  const Wide se_scale = load<Wide>(args.se_scale);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    store(out + i, mul(se_scale, apply_epilogue<E>(f.z(args.y + i), f.low, f.high)));
  }
}

template <Epilogue E>
void activate_sum_block(const ActivationArgs& args, float* sums) noexcept {
  const Activation<Wide> f(args);
  Wide total = load<Wide>(sums);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    total = add(total, apply_epilogue<E>(f.z(args.y + i), f.low, f.high));
  }
  store(sums, total);
}

template <Epilogue E>
void activate_both_block(const ActivationArgs& args, float* out, float* derivative) noexcept {
  const Activation<Wide> f(args);
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock) {
    const ValueAndDerivative<Wide> both = value_and_derivative<E>(f.z(args.y + i), f.low, f.high);
    store(out + i, both.value);
    store(derivative + i, both.derivative);
  }
}

template <Epilogue E>
void se_backward_block(const ActivationArgs& args, const float* d, float* out, float* sums) noexcept {
  for_each_lane_range(
      args.pixels, [&]<class V>(std::int64_t lane, std::int64_t first,
                                std::int64_t count) __attribute__((always_inline)) {
        const Activation<V> f(args, lane);
        const V inverse = load<V>(args.inverse + lane), offset = load<V>(args.offset + lane);
        const V se_scale = args.se_scale != nullptr ? load<V>(args.se_scale + lane) : broadcast<V>(1);
        const std::int64_t at = first * kBlock + lane;
        V totals[kSeSums];
        EFFNET_UNROLL
        for (int i = 0; i < kSeSums; ++i) totals[i] = load<V>(sums + i * kBlock + lane);
        for (std::int64_t i = at; i < at + count * kBlock; i += kBlock) {
          prefetch(args.y + i + kPrefetchFloats);
          const V y = load<V>(args.y + i), gradient = load<V>(d + i);
          const ValueAndDerivative<V> both = value_and_derivative<E>(fma(y, f.scale, f.shift), f.low, f.high);
          const V xhat = fma(y, inverse, offset), product = mul(gradient, both.derivative);
          totals[0] = fma(gradient, both.value, totals[0]);
          totals[1] = add(totals[1], product);
          totals[2] = fma(product, xhat, totals[2]);
          totals[3] = add(totals[3], both.derivative);
          totals[4] = fma(both.derivative, xhat, totals[4]);
          if (out != nullptr) store(out + i, mul(se_scale, both.value));
        }
        EFFNET_UNROLL
        for (int i = 0; i < kSeSums; ++i) store(sums + i * kBlock + lane, totals[i]);
      });
}

template <Epilogue E>
void activated_gradient_block(const ActivationArgs& args, const GradientArgs& gradient) noexcept {
  const Activation<Wide> f(args);
  const Wide factor = load<Wide>(gradient.factor), mean = load<Wide>(gradient.mean);
  const Wide c1 = load<Wide>(gradient.c1), c2 = load<Wide>(gradient.c2);
  float* out = gradient.out;
  for (std::int64_t i = 0; i < args.pixels * kBlock; i += kBlock, out += gradient.out_step) {
    prefetch(args.y + i + kPrefetchFloats);
    prefetch(gradient.d + i + kPrefetchFloats);
    const Wide y = load<Wide>(args.y + i);
    const ValueAndDerivative<Wide> both = value_and_derivative<E>(fma(y, f.scale, f.shift), f.low, f.high);
    store(out, fma(both.derivative, fma(load<Wide>(gradient.d + i), factor, mean), fma(y, c1, c2)));
  }
}

void gradient_block(const float* y, const GradientArgs& gradient, std::int64_t pixels) noexcept {
  const Wide factor = load<Wide>(gradient.factor), c1 = load<Wide>(gradient.c1), c2 = load<Wide>(gradient.c2);
  for (std::int64_t i = 0; i < pixels * kBlock; i += kBlock) {
    prefetch(y + i + kPrefetchFloats);
    prefetch(gradient.d + i + kPrefetchFloats);
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

// Copies pixel by pixel, so that the memory of the rows is accessed sequentially.
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
      prefetch(args.prefetch_address + (p + u) * kBlock);
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

// Adds the terms of the output rows [y, end) to the gradients of kRows window rows from `first` on, in the lanes of V
// from `lane` on.
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

// A pass computes as many window rows as have accumulators that fit in the registers. Several passes may be needed: for
// the remaining window rows, and for the second half of the lanes if a Wide is two registers. In the latter case, all
// passes run over 4 output rows before the next 4, so that their inputs stay in the L1 cache.
template <int kKernel, int kStride>
void depthwise_weight(const DepthwiseWeightArgs& args) noexcept {
  constexpr int kFitting = kWeightSums / kKernel, kRows = kFitting < 1 ? 1 : kFitting > kKernel ? kKernel : kFitting;
  constexpr int kRest = kKernel % kRows;
  const std::int64_t most = kWideIsTwo ? 4 : args.height;
  const auto all = [&]<class V>(std::int64_t y, std::int64_t lane) __attribute__((always_inline)) {
    const std::int64_t end = y + most < args.height ? y + most : args.height;
    int first = 0;
    for (; first + kRows <= kKernel; first += kRows)
      depthwise_weight_rows<kKernel, kStride, kRows, V>(args, y, end, first, lane);
    if constexpr (kRest > 0) depthwise_weight_rows<kKernel, kStride, kRest, V>(args, y, end, first, lane);
  };
  for (std::int64_t y = 0; y < args.height; y += most) {
    if constexpr (kWideIsTwo) {
      for (std::int64_t lane = 0; lane < kBlock; lane += 8) all.template operator()<Half>(y, lane);
    } else {
      all.template operator()<Wide>(y, 0);
    }
  }
}

// Computes the gradients of kPairs pairs of neighbouring input pixels. The first pixel j of a pair has j + left = 2x.
// It gets the even window columns 2m, the second pixel gets the odd window columns 2m + 1. In both cases, the weight of
// column 2m or 2m + 1 is multiplied by d[x - m].
template <int kKernel, int kPairs, class V>
[[gnu::always_inline]] inline void data_gradient_pairs(const DepthwiseDataGradientArgs& args, std::int64_t x,
                                                       std::int64_t lane, V (&even)[kPairs], V (&odd)[kPairs]) {
  EFFNET_UNROLL
  for (int t = 0; t < kPairs; ++t) even[t] = odd[t] = broadcast<V>(0);
  for (std::int64_t i = 0; i < args.count; ++i) {
    const float* d = args.rows[i] + x * kBlock + lane;
    const float* weight = args.weight + args.window[i] * kKernel * kBlock + lane;
    if constexpr (kWideIsTwo) {
      keep_base_pointer(d);
      keep_base_pointer(weight);
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
[[gnu::always_inline]] inline void data_gradient_lanes(const DepthwiseDataGradientArgs& args, std::int64_t lane) {
  constexpr int kPairs = kDataGradientPairs;
  float* const out = args.out + lane;
  std::int64_t x = args.left / 2, j = x * 2 - args.left;  // first pixel of the pair; -1 if left is odd
  while (j < args.width) {
    if (j >= 0 && j + 2 * kPairs <= args.width) {
      V even[kPairs], odd[kPairs];
      data_gradient_pairs<kKernel, kPairs>(args, x, lane, even, odd);
      EFFNET_UNROLL
      for (int t = 0; t < kPairs; ++t) {
        store(out + (j + 2 * t) * kBlock, even[t]);
        store(out + (j + 2 * t + 1) * kBlock, odd[t]);
      }
      x += kPairs;
      j += 2 * kPairs;
    } else {
      V even[1], odd[1];
      data_gradient_pairs<kKernel, 1>(args, x, lane, even, odd);
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
    for (std::int64_t lane = 0; lane < kBlock; lane += 8) data_gradient_lanes<kKernel, Half>(args, lane);
  } else {
    data_gradient_lanes<kKernel, Wide>(args, 0);
  }
}

template <Epilogue E>
constexpr void add_activation(TrainingSet& set) {
  constexpr auto kIndex = static_cast<int>(E);
  set.activate[kIndex] = activate_block<E>;
  set.activate_sum[kIndex] = activate_sum_block<E>;
  set.activate_both[kIndex] = activate_both_block<E>;
  set.se_backward[kIndex] = se_backward_block<E>;
  set.activated_gradient[kIndex] = activated_gradient_block<E>;
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
