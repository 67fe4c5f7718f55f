// NEON, which every 64-bit ARM CPU has: a Wide is four registers.
#include <arm_neon.h>

#include <cstdint>

#define EFFNET_TARGET neon

namespace effnet::kernels::neon {
namespace {

struct Half {
  float32x4_t low, high;
};
struct Wide {
  Half low, high;
};

// 32 registers: 6 x 4 accumulators, four registers of weights, and the broadcast inputs.
constexpr int kHeights[] = {12, 10, 8, 6, 5, 4, 3, 2, 1};
// kTallest is the largest height of tiles wider than 8 channels. Tiles of 8 channels are up to 12 pixels high, because
// fewer than 16 accumulators would not keep 4 multiply-add pipes busy.
constexpr int kTallest = 6;
constexpr int kTile = 16;
constexpr int kCascadePixels = 84;  // 14 full tiles, as with AVX2, which has the same tile
constexpr int kCacheBytes = 512 << 10;
constexpr int kPrefetchInterval = 2;
constexpr bool kEqualRuns = false;
// Registers for kDepthwiseRun: 7 x 2 accumulators, 5 x 2 weights of a window row, 2 inputs. 7 divides the common widths
// 112, 56, 28 and 14.
constexpr int kDepthwiseRun = 7;
constexpr int kWeightRows = 4, kWeightBlocks = 1;
constexpr int kWeightSums = 14;  // accumulators of a depthwise weight gradient in registers, each one is two registers
constexpr int kMomentChains = 2;
constexpr int kDataGradientPairs = 5;
constexpr bool kWideIsTwo = true;   // here: a Wide is two halves of two registers each
constexpr int kUnrolledWindow = 3;  // larger windows use a loop over their rows: less code
constexpr int kPeakChains = 6;      // each one is four registers

template <class V>
inline V load(const float* p);
template <>
inline Half load<Half>(const float* p) {
  return {vld1q_f32(p), vld1q_f32(p + 4)};
}
template <>
inline Wide load<Wide>(const float* p) {
  return {load<Half>(p), load<Half>(p + 8)};
}
template <class V>
inline V broadcast(float x);
template <>
inline Half broadcast<Half>(float x) {
  return {vdupq_n_f32(x), vdupq_n_f32(x)};
}
template <>
inline Wide broadcast<Wide>(float x) {
  return {broadcast<Half>(x), broadcast<Half>(x)};
}

inline void store(float* p, Half v) {
  vst1q_f32(p, v.low);
  vst1q_f32(p + 4, v.high);
}
inline Half fma(Half a, Half b, Half c) { return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)}; }
inline Half add(Half a, Half b) { return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
inline Half sub(Half a, Half b) { return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)}; }
inline Half mul(Half a, Half b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
inline Half div(Half a, Half b) { return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
// ARM returns NaN if either operand is NaN.
inline Half at_least(Half x, Half low) { return {vmaxq_f32(x.low, low.low), vmaxq_f32(x.high, low.high)}; }
inline Half at_most(Half x, Half high) { return {vminq_f32(x.low, high.low), vminq_f32(x.high, high.high)}; }
inline Half larger(Half a, Half b) { return at_least(a, b); }
inline float32x4_t add_to_exponent(float32x4_t x, float32x4_t whole) {
  const int32x4_t power = vshlq_n_s32(vreinterpretq_s32_f32(whole), 23);
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), power));
}
inline Half add_to_exponent(Half x, Half whole) {  // whole = 1.5 * 2^23 + n; adds n
  return {add_to_exponent(x.low, whole.low), add_to_exponent(x.high, whole.high)};
}
// 1 where low < x < high, else 0; for NaN 0.
inline float32x4_t inside(float32x4_t x, float32x4_t low, float32x4_t high) {
  const uint32x4_t both = vandq_u32(vcgtq_f32(x, low), vcltq_f32(x, high));
  return vreinterpretq_f32_u32(vandq_u32(both, vreinterpretq_u32_f32(vdupq_n_f32(1))));
}
inline Half inside(Half x, Half low, Half high) {
  return {inside(x.low, low.low, high.low), inside(x.high, low.high, high.high)};
}
// Non-temporal store: a hint to bypass the caches. For other threads it is ordered like any other store, so
// end_streams() does nothing.
inline void stream(float* p, Half v) {
  asm("stnp %q1, %q2, [%3]" : "=m"(*reinterpret_cast<float(*)[8]>(p)) : "w"(v.low), "w"(v.high), "r"(p));
}
inline void end_streams() {}
inline void accumulate(Half& sum, Half a, Half b) { sum = fma(a, b, sum); }
inline void accumulate_at(Half& sum, const float* p, Half b) { sum = fma(load<Half>(p), b, sum); }
inline void keep_in_register(Half& value) { asm("" : "+w"(value.low), "+w"(value.high)); }
inline void compiler_barrier(Half& value) { asm volatile("" : "+w"(value.low), "+w"(value.high) : : "memory"); }
inline void prefetch(const float* line) { __builtin_prefetch(line, 0, 3); }

inline void store(float* p, Wide v) {
  store(p, v.low);
  store(p + 8, v.high);
}
inline void stream(float* p, Wide v) {
  stream(p, v.low);
  stream(p + 8, v.high);
}
inline Wide fma(Wide a, Wide b, Wide c) { return {fma(a.low, b.low, c.low), fma(a.high, b.high, c.high)}; }
inline Wide add(Wide a, Wide b) { return {add(a.low, b.low), add(a.high, b.high)}; }
inline Wide sub(Wide a, Wide b) { return {sub(a.low, b.low), sub(a.high, b.high)}; }
inline Wide mul(Wide a, Wide b) { return {mul(a.low, b.low), mul(a.high, b.high)}; }
inline Wide div(Wide a, Wide b) { return {div(a.low, b.low), div(a.high, b.high)}; }
inline Wide at_least(Wide x, Wide low) { return {at_least(x.low, low.low), at_least(x.high, low.high)}; }
inline Wide at_most(Wide x, Wide high) { return {at_most(x.low, high.low), at_most(x.high, high.high)}; }
inline Wide larger(Wide a, Wide b) { return at_least(a, b); }
inline Wide inside(Wide x, Wide low, Wide high) {
  return {inside(x.low, low.low, high.low), inside(x.high, low.high, high.high)};
}
inline Half lower_half(Wide v) { return v.low; }
// These functions read or write only the first n floats. load_first and store_first need n in 1..16. Loads set the
// other lanes to zero.
inline float32x4_t load_up_to_four(const float* p, std::int64_t n) {
  if (n >= 4) return vld1q_f32(p);
  float32x4_t v = vdupq_n_f32(0);
  if (n > 0) v = vld1q_lane_f32(p, v, 0);
  if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
  if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
  return v;
}
inline void store_up_to_four(float* p, float32x4_t v, std::int64_t n) {
  if (n >= 4) return vst1q_f32(p, v);
  if (n > 0) vst1q_lane_f32(p, v, 0);
  if (n > 1) vst1q_lane_f32(p + 1, v, 1);
  if (n > 2) vst1q_lane_f32(p + 2, v, 2);
}
inline Wide load_first(const float* p, std::int64_t n) {
  return {{load_up_to_four(p, n), load_up_to_four(p + 4, n - 4)},
          {load_up_to_four(p + 8, n - 8), load_up_to_four(p + 12, n - 12)}};
}
inline void store_first(float* p, Wide v, std::int64_t n) {
  store_up_to_four(p, v.low.low, n);
  store_up_to_four(p + 4, v.low.high, n - 4);
  store_up_to_four(p + 8, v.high.low, n - 8);
  store_up_to_four(p + 12, v.high.high, n - 12);
}
inline void accumulate(Wide& sum, Wide a, Wide b) { sum = fma(a, b, sum); }
inline void keep_in_register(Wide& value) {
  keep_in_register(value.low);
  keep_in_register(value.high);
}
inline void compiler_barrier(Wide& value) {
  compiler_barrier(value.low);
  compiler_barrier(value.high);
}

}  // namespace
}  // namespace effnet::kernels::neon

#include "effnet/kernels/exp-inl.h"

namespace effnet::kernels::neon {
namespace {

inline Half one_plus_exp_of_minus(Half x) { return one_plus_exp_of_minus_by_polynomial(x); }
inline Wide one_plus_exp_of_minus(Wide x) { return {one_plus_exp_of_minus(x.low), one_plus_exp_of_minus(x.high)}; }

}  // namespace
}  // namespace effnet::kernels::neon

#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::neon {

constinit const KernelSet kKernels = kernel_table(Isa::neon);
constinit const TrainingSet kTraining = training_table(Isa::neon);

}  // namespace effnet::kernels::neon
