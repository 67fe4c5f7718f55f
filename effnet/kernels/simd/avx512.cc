// AVX-512 (F, BW, DQ, VL): a vector has 16 lanes; half blocks use vectors of 8 lanes.
#include <immintrin.h>

#include <cstdint>

#define EFFNET_TARGET avx512

namespace effnet::kernels::avx512 {
namespace {

using Wide = __m512;
using Half = __m256;

// 32 registers: 14 x 2 accumulators, two vectors of weights, one broadcast input, and one free register.
constexpr int kHeights[] = {14, 13, 12, 10, 8, 6, 4, 2, 1};
constexpr int kTallest = 14;
constexpr int kTile = 32;
constexpr int kCascadePixels = 42;
constexpr int kCacheBytes = 1024 << 10;
constexpr int kPrefetchInterval = 1;
constexpr bool kEqualRuns = false;
constexpr int kDepthwiseRun = 7;  // 7 divides the common widths 112, 56, 28, 14 and 7
// A weight gradient has 8 x 2 accumulators, which hide the latency of the multiply-adds at 2 of them per cycle.
constexpr int kWeightRows = 8, kWeightBlocks = 2;
constexpr int kWeightSums = 25;  // accumulators of a depthwise weight gradient that stay in registers
constexpr int kMomentChains = 4;
constexpr int kDataGradientPairs = 7;
constexpr bool kWideIsTwo = false;
constexpr int kUnrolledWindow = 5;  // larger windows use a loop over their rows: less code, a few percent slower
constexpr int kPeakChains = 12;

template <class V>
inline V load(const float* p);
template <>
inline Wide load<Wide>(const float* p) {
  return _mm512_loadu_ps(p);
}
template <>
inline Half load<Half>(const float* p) {
  return _mm256_loadu_ps(p);
}
template <class V>
inline V broadcast(float x);
template <>
inline Wide broadcast<Wide>(float x) {
  return _mm512_set1_ps(x);
}
template <>
inline Half broadcast<Half>(float x) {
  return _mm256_set1_ps(x);
}

inline Half lower_half(Wide v) { return _mm512_castps512_ps256(v); }
inline void store(float* p, Wide v) { _mm512_storeu_ps(p, v); }
inline void store(float* p, Half v) { _mm256_storeu_ps(p, v); }
// Non-temporal store: bypasses the caches, so that the old content of the memory is not read. `p` is 64-byte aligned.
// Other threads see the values only after end_streams().
inline void stream(float* p, Wide v) { _mm512_stream_ps(p, v); }
inline void end_streams() { _mm_sfence(); }
inline Wide fma(Wide a, Wide b, Wide c) { return _mm512_fmadd_ps(a, b, c); }
inline Half fma(Half a, Half b, Half c) { return _mm256_fmadd_ps(a, b, c); }
inline Wide add(Wide a, Wide b) { return _mm512_add_ps(a, b); }
inline Half add(Half a, Half b) { return _mm256_add_ps(a, b); }
inline Wide sub(Wide a, Wide b) { return _mm512_sub_ps(a, b); }
inline Half sub(Half a, Half b) { return _mm256_sub_ps(a, b); }
inline Wide mul(Wide a, Wide b) { return _mm512_mul_ps(a, b); }
inline Half mul(Half a, Half b) { return _mm256_mul_ps(a, b); }
inline Wide div(Wide a, Wide b) { return _mm512_div_ps(a, b); }
inline Half div(Half a, Half b) { return _mm256_div_ps(a, b); }
// If x is NaN the result is NaN: x86 returns the second operand if either one is NaN.
inline Wide at_least(Wide x, Wide low) { return _mm512_max_ps(low, x); }
inline Half at_least(Half x, Half low) { return _mm256_max_ps(low, x); }
inline Wide at_most(Wide x, Wide high) { return _mm512_min_ps(high, x); }
inline Half at_most(Half x, Half high) { return _mm256_min_ps(high, x); }
// The larger value; NaN if either one is NaN.
inline Wide larger(Wide a, Wide b) {
  return _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

// 1 where low < x < high, else 0; for NaN 0.
inline Wide inside(Wide x, Wide low, Wide high) {
  const __mmask16 above = _mm512_cmp_ps_mask(x, low, _CMP_GT_OQ);
  return _mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, x, high, _CMP_LT_OQ), broadcast<Wide>(1));
}
// Only the first n (1..16) floats are read or written. load_first sets the other lanes to zero.
inline __mmask16 first_lanes(std::int64_t n) { return static_cast<__mmask16>((1U << n) - 1); }
inline Wide load_first(const float* p, std::int64_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
inline void store_first(float* p, Wide v, std::int64_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }

// 1 + exp(-x), with x clamped to +-87. exp(-x) = 2^(m / 32) * 2^(f / 32), where m + f = -32 x log2(e), m is an integer
// and |f| <= 1/2. The first factor is one permutation of two registers, which hold a table of 32 values; the index is m
// mod 32, and the other bits of m are added to the exponent. The second factor is a quadratic polynomial with a
// relative error of 5e-8. Adding the constant 1.5 * 2^23 (kMagic) rounds a float to an integer.
struct ExpTable {
  alignas(64) std::uint32_t entry[32];  // bits of 2^(j/32), minus (j << 18)
};
constexpr ExpTable kExpTable = {{
    0x3f800000u - (0u << 18),  0x3f82cd87u - (1u << 18),  0x3f85aac3u - (2u << 18),  0x3f88980fu - (3u << 18),
    0x3f8b95c2u - (4u << 18),  0x3f8ea43au - (5u << 18),  0x3f91c3d3u - (6u << 18),  0x3f94f4f0u - (7u << 18),
    0x3f9837f0u - (8u << 18),  0x3f9b8d3au - (9u << 18),  0x3f9ef532u - (10u << 18), 0x3fa27043u - (11u << 18),
    0x3fa5fed7u - (12u << 18), 0x3fa9a15bu - (13u << 18), 0x3fad583fu - (14u << 18), 0x3fb123f6u - (15u << 18),
    0x3fb504f3u - (16u << 18), 0x3fb8fbafu - (17u << 18), 0x3fbd08a4u - (18u << 18), 0x3fc12c4du - (19u << 18),
    0x3fc5672au - (20u << 18), 0x3fc9b9beu - (21u << 18), 0x3fce248cu - (22u << 18), 0x3fd2a81eu - (23u << 18),
    0x3fd744fdu - (24u << 18), 0x3fdbfbb8u - (25u << 18), 0x3fe0ccdfu - (26u << 18), 0x3fe5b907u - (27u << 18),
    0x3feac0c7u - (28u << 18), 0x3fefe4bau - (29u << 18), 0x3ff5257du - (30u << 18), 0x3ffa83b3u - (31u << 18),
}};
constexpr float kMagic = 12582912.0F;              // 1.5 * 2^23
constexpr float kExpScale = -46.166241308446828F;  // -32 log2(e)
constexpr float kExpLimit = 87.0F;
constexpr float kExp1 = 0.021660849392498290F;  // ln 2 / 32
constexpr float kExp2 = 0.000234596200205F;     // (ln 2 / 32)^2 / 2

inline Wide one_plus_exp_of_minus(Wide x) {
  const Wide clamped = _mm512_range_ps(x, _mm512_set1_ps(kExpLimit), 2);  // the smaller magnitude, with the sign of x
  const Wide rounded = fma(clamped, broadcast<Wide>(kExpScale), broadcast<Wide>(kMagic));
  const Wide whole = _mm512_sub_ps(rounded, broadcast<Wide>(kMagic));
  const Wide rest = _mm512_fmsub_ps(clamped, broadcast<Wide>(kExpScale), whole);
  const Wide factor = fma(rest, fma(rest, broadcast<Wide>(kExp2), broadcast<Wide>(kExp1)), broadcast<Wide>(1));
  const __m512i index = _mm512_castps_si512(rounded);
  const __m512i power = _mm512_add_epi32(
      _mm512_permutex2var_epi32(_mm512_load_si512(kExpTable.entry), index, _mm512_load_si512(kExpTable.entry + 16)),
      _mm512_slli_epi32(index, 18));
  return fma(factor, _mm512_castsi512_ps(power), broadcast<Wide>(1));
}
inline Half one_plus_exp_of_minus(Half x) {
  return _mm512_castps512_ps256(one_plus_exp_of_minus(_mm512_castps256_ps512(x)));
}

// Makes GCC load a vector once if it is used several times; GCC would otherwise read it from memory at each use.
inline void keep_in_register(Wide& value) { asm("" : "+v"(value)); }
inline void keep_in_register(Half& value) { asm("" : "+v"(value)); }
inline void accumulate(Wide& sum, Wide a, Wide b) { sum = fma(a, b, sum); }
inline void accumulate(Half& sum, Half a, Half b) { sum = fma(a, b, sum); }
inline void accumulate_at(Wide& sum, const float* p, Wide b) { sum = fma(load<Wide>(p), b, sum); }
inline void prefetch(const float* line) { _mm_prefetch(reinterpret_cast<const char*>(line), _MM_HINT_T0); }

// The compiler must not move the next value's epilogue before this point: with 28 accumulators in 32 registers, its
// scheduler would interleave many epilogues and spill (4 cycles per value). The processor's own reordering is not
// limited.
inline void compiler_barrier(Wide& value) { asm volatile("" : "+v"(value) : : "memory"); }
inline void compiler_barrier(Half& value) { asm volatile("" : "+v"(value) : : "memory"); }

}  // namespace
}  // namespace effnet::kernels::avx512

#include "effnet/kernels/depthwise_pair-inl.h"
#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::avx512 {
namespace {

consteval KernelSet with_pairs(KernelSet set) {
  set.depthwise_pairs = kDepthwisePairs;
  set.pairs_are_faster = pairs_are_faster;
  return set;
}

}  // namespace

constinit const KernelSet kKernels = with_pairs(kernel_table(Isa::avx512));
constinit const TrainingSet kTraining = training_table(Isa::avx512);

}  // namespace effnet::kernels::avx512
