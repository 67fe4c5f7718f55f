// AVX2 with FMA: a Wide is two registers.
#include <immintrin.h>

#include <cstdint>

#define EFFNET_TARGET avx2

namespace effnet::kernels::avx2 {
namespace {

using Half = __m256;
struct Wide {
  Half low, high;
};

// 16 registers: 6 x 2 accumulators, two vectors of weights, one broadcast input.
constexpr int kHeights[] = {12, 10, 8, 6, 5, 4, 3, 2, 1};
// kTallest is the largest height of tiles wider than 8 channels. Tiles of 8 channels are up to 12 pixels high, because
// fewer accumulators would not hide the latency of a multiply-add.
constexpr int kTallest = 6;
constexpr int kTile = 16;
constexpr int kCascadePixels = 84;
constexpr int kCacheBytes = 512 << 10;
constexpr int kPrefetchInterval = 2;
constexpr bool kEqualRuns = true;
constexpr int kDepthwiseRun = 10;  // with a 3x3 window: registers for 10 accumulators, 3 weights, one input
constexpr int kWeightRows = 4, kWeightBlocks = 1;
constexpr int kWeightSums = 10;  // accumulators of a depthwise weight gradient that stay in registers
constexpr int kMomentChains = 2;
constexpr int kDataGradientPairs = 7;
constexpr bool kWideIsTwo = true;
constexpr int kUnrolledWindow = 3;  // larger windows use a loop over their rows: less code, a few percent slower
constexpr int kPeakChains = 6;      // each one is two registers

template <class V>
inline V load(const float* p);
template <>
inline Half load<Half>(const float* p) {
  return _mm256_loadu_ps(p);
}
template <>
inline Wide load<Wide>(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
template <class V>
inline V broadcast(float x);
template <>
inline Half broadcast<Half>(float x) {
  return _mm256_set1_ps(x);
}
template <>
inline Wide broadcast<Wide>(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

inline void store(float* p, Half v) { _mm256_storeu_ps(p, v); }
inline Half fma(Half a, Half b, Half c) { return _mm256_fmadd_ps(a, b, c); }
inline Half add(Half a, Half b) { return _mm256_add_ps(a, b); }
inline Half sub(Half a, Half b) { return _mm256_sub_ps(a, b); }
inline Half mul(Half a, Half b) { return _mm256_mul_ps(a, b); }
inline Half div(Half a, Half b) { return _mm256_div_ps(a, b); }
// If x is NaN the result is NaN: x86 returns the second operand if either one is NaN.
inline Half at_least(Half x, Half low) { return _mm256_max_ps(low, x); }
inline Half at_most(Half x, Half high) { return _mm256_min_ps(high, x); }
// Makes GCC load a vector once if it is used several times; GCC would otherwise read it from memory at each use.
inline void keep_in_register(Half& value) { asm("" : "+x"(value)); }
// sum += a * b. The asm chooses the form that overwrites the sum. For the intrinsic, GCC chooses the form that
// overwrites a factor, which then needs moves and spills.
inline void accumulate(Half& sum, Half a, Half b) { asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b)); }
// sum += (eight floats at p) * b, with p as the memory operand of the multiply-add. Otherwise GCC would keep inputs
// that neighbouring windows share in registers, but the accumulators need these registers.
inline void accumulate_at(Half& sum, const float* p, Half b) {
  asm("vfmadd231ps %1, %2, %0" : "+x"(sum) : "m"(*reinterpret_cast<const __m256_u*>(p)), "x"(b));
}
inline void prefetch(const float* line) { _mm_prefetch(reinterpret_cast<const char*>(line), _MM_HINT_T0); }
inline void compiler_barrier(Half& value) { asm volatile("" : "+x"(value) : : "memory"); }

inline void store(float* p, Wide v) {
  store(p, v.low);
  store(p + 8, v.high);
}
// Non-temporal store: bypasses the caches, so that the old content of the memory is not read. `p` is 64-byte aligned.
// Other threads see the values only after end_streams().
inline void stream(float* p, Wide v) {
  _mm256_stream_ps(p, v.low);
  _mm256_stream_ps(p + 8, v.high);
}
inline void end_streams() { _mm_sfence(); }
inline Wide fma(Wide a, Wide b, Wide c) { return {fma(a.low, b.low, c.low), fma(a.high, b.high, c.high)}; }
inline Wide add(Wide a, Wide b) { return {add(a.low, b.low), add(a.high, b.high)}; }
inline Wide sub(Wide a, Wide b) { return {sub(a.low, b.low), sub(a.high, b.high)}; }
inline Wide mul(Wide a, Wide b) { return {mul(a.low, b.low), mul(a.high, b.high)}; }
inline Wide div(Wide a, Wide b) { return {div(a.low, b.low), div(a.high, b.high)}; }
inline Wide at_least(Wide x, Wide low) { return {at_least(x.low, low.low), at_least(x.high, low.high)}; }
inline Wide at_most(Wide x, Wide high) { return {at_most(x.low, high.low), at_most(x.high, high.high)}; }
inline Half lower_half(Wide v) { return v.low; }
// The larger value; NaN if either one is NaN.
inline Half larger(Half a, Half b) {
  return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
// 1 where low < x < high, else 0; for NaN 0.
inline Half inside(Half x, Half low, Half high) {
  const Half both = _mm256_and_ps(_mm256_cmp_ps(x, low, _CMP_GT_OQ), _mm256_cmp_ps(x, high, _CMP_LT_OQ));
  return _mm256_and_ps(both, _mm256_set1_ps(1));
}
inline Wide inside(Wide x, Wide low, Wide high) {
  return {inside(x.low, low.low, high.low), inside(x.high, low.high, high.high)};
}
// The mask of the first n of 8 lanes; n may be outside 0..8.
inline __m256i first_lanes(std::int64_t n) {
  const __m256i indices = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), indices);
}
// Reads only the first n (1..16) floats and sets the other lanes to zero.
inline Wide load_first(const float* p, std::int64_t n) {
  return {_mm256_maskload_ps(p, first_lanes(n)), _mm256_maskload_ps(p + 8, first_lanes(n - 8))};
}
// Writes only the first n (1..16) floats. It uses no masked store, which takes 20 cycles or more on AMD processors.
inline void store_first(float* p, Wide v, std::int64_t n) {
  if (n >= 8) {
    store(p, v.low);
    p += 8;
    n -= 8;
    v.low = v.high;
  }
  __m128 part = _mm256_castps256_ps128(v.low);
  if (n >= 4) {
    _mm_storeu_ps(p, part);
    p += 4;
    n -= 4;
    part = _mm256_extractf128_ps(v.low, 1);
  }
  for (; n > 0; --n, ++p) {
    _mm_store_ss(p, part);
    part = _mm_permute_ps(part, 0x39);  // rotate: the next lane becomes the first
  }
}
inline Wide larger(Wide a, Wide b) { return {larger(a.low, b.low), larger(a.high, b.high)}; }
inline void accumulate(Wide& sum, Wide a, Wide b) {
  accumulate(sum.low, a.low, b.low);
  accumulate(sum.high, a.high, b.high);
}
inline void keep_in_register(Wide& value) {
  keep_in_register(value.low);
  keep_in_register(value.high);
}
[[maybe_unused]] inline void compiler_barrier(Wide& value) {
  compiler_barrier(value.low);
  compiler_barrier(value.high);
}

// 1 + exp(-x), with x clamped to +-87. exp(-x) = 2^(m / 8) * 2^(f / 8), where m + f = -8 x log2(e), m is an integer and
// |f| <= 1/2. The first factor is one permutation of a register that holds a table of 8 values; the index is m mod 8,
// and the other bits of m are added to the exponent. The second factor is a cubic polynomial with a relative error of
// 3e-8. Adding the constant 1.5 * 2^23 (kMagic) rounds a float to an integer.
// The computation is a chain of 13 operations and takes 6.0 cycles, because the processor overlaps the chains of about
// 6 vectors. A polynomial of degree 5 without a table takes 16 operations and 7.1 cycles.
// For NaN the result is a finite number. A caller that divides by the result must carry NaN in the numerator.
struct ExpTable {
  alignas(32) std::uint32_t entry[8];  // bits of 2^(j/8), minus (j << 20)
};
constexpr ExpTable kExpTable = {{
    0x3f800000u - (0u << 20),
    0x3f8b95c2u - (1u << 20),
    0x3f9837f0u - (2u << 20),
    0x3fa5fed7u - (3u << 20),
    0x3fb504f3u - (4u << 20),
    0x3fc5672au - (5u << 20),
    0x3fd744fdu - (6u << 20),
    0x3feac0c7u - (7u << 20),
}};
constexpr float kMagic = 12582912.0F;              // 1.5 * 2^23
constexpr float kExpScale = -11.541560327111707F;  // -8 log2(e)
constexpr float kExpLimit = 87.0F;
// With c = ln 2 / 8, these are about c, c^2 / 2 and c^3 / 6, fitted to |f| <= 1/2.
constexpr float kExp1 = 0.0866434018F;
constexpr float kExp2 = 0.00375402533F;
constexpr float kExp3 = 0.000108391048F;

inline Half one_plus_exp_of_minus(Half x) {
  const Half clamped = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-kExpLimit)), _mm256_set1_ps(kExpLimit));
  const Half rounded = fma(clamped, _mm256_set1_ps(kExpScale), _mm256_set1_ps(kMagic));
  const Half whole = sub(rounded, _mm256_set1_ps(kMagic));
  const Half rest = _mm256_fmsub_ps(clamped, _mm256_set1_ps(kExpScale), whole);
  Half factor = fma(rest, _mm256_set1_ps(kExp3), _mm256_set1_ps(kExp2));
  factor = fma(rest, factor, _mm256_set1_ps(kExp1));
  factor = fma(rest, factor, _mm256_set1_ps(1));
  const __m256i index = _mm256_castps_si256(rounded);
  const __m256i table = _mm256_load_si256(reinterpret_cast<const __m256i*>(kExpTable.entry));
  const __m256i power = _mm256_add_epi32(_mm256_permutevar8x32_epi32(table, index), _mm256_slli_epi32(index, 20));
  return fma(factor, _mm256_castsi256_ps(power), _mm256_set1_ps(1));
}
inline Wide one_plus_exp_of_minus(Wide x) { return {one_plus_exp_of_minus(x.low), one_plus_exp_of_minus(x.high)}; }

}  // namespace
}  // namespace effnet::kernels::avx2

#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::avx2 {

constinit const KernelSet kKernels = kernel_table(Isa::avx2);
constinit const TrainingSet kTraining = training_table(Isa::avx2);

}  // namespace effnet::kernels::avx2
