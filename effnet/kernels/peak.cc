#include "effnet/kernels/peak.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace effnet::kernels {
namespace {

// Twelve independent chains: a multiply-add takes 4 cycles on every CPU with two units of it, so 8 fill them. The
// chains converge to 2: nothing overflows, nothing becomes denormal. The empty asm hides that they start alike: a
// compiler would compute one chain for all of them.
constexpr std::int64_t kChains = 12;
constexpr std::int64_t kSteps = 4000;
constexpr float kFactor = 0.5F;
constexpr float kTerm = 1.0F;

// Each returns something made of every chain, so that no chain is left out.
using Loop = float (*)();

float loop_portable() {
  // Eight lanes a chain are two SSE registers; more chains than 7 would not fit the 16 registers of plain x86-64.
  constexpr std::size_t kValues = 56;
  std::array<float, kValues> values{};
  for (std::size_t i = 0; i < kValues; ++i) values[i] = static_cast<float>(i);
  for (std::int64_t step = 0; step < kSteps; ++step) {
    for (float& value : values) value = value * kFactor + kTerm;
  }
  float sum = 0;
  for (const float value : values) sum += value;
  return sum;
}
constexpr std::int64_t kPortableFlops = 2 * 56 * kSteps;

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) float loop_avx2() {
  const __m256 x = _mm256_set1_ps(kFactor);
  const __m256 y = _mm256_set1_ps(kTerm);
  __m256 a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
  asm("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f), "+x"(g), "+x"(h), "+x"(i), "+x"(j), "+x"(k), "+x"(l));
  for (std::int64_t step = 0; step < kSteps; ++step) {
    a = _mm256_fmadd_ps(a, x, y);
    b = _mm256_fmadd_ps(b, x, y);
    c = _mm256_fmadd_ps(c, x, y);
    d = _mm256_fmadd_ps(d, x, y);
    e = _mm256_fmadd_ps(e, x, y);
    f = _mm256_fmadd_ps(f, x, y);
    g = _mm256_fmadd_ps(g, x, y);
    h = _mm256_fmadd_ps(h, x, y);
    i = _mm256_fmadd_ps(i, x, y);
    j = _mm256_fmadd_ps(j, x, y);
    k = _mm256_fmadd_ps(k, x, y);
    l = _mm256_fmadd_ps(l, x, y);
  }
  const __m256 first = _mm256_add_ps(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)), _mm256_add_ps(e, f));
  const __m256 second = _mm256_add_ps(_mm256_add_ps(_mm256_add_ps(g, h), _mm256_add_ps(i, j)), _mm256_add_ps(k, l));
  return _mm256_cvtss_f32(_mm256_add_ps(first, second));
}

__attribute__((target("avx512f"))) float loop_avx512() {
  const __m512 x = _mm512_set1_ps(kFactor);
  const __m512 y = _mm512_set1_ps(kTerm);
  __m512 a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
  asm("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l));
  for (std::int64_t step = 0; step < kSteps; ++step) {
    a = _mm512_fmadd_ps(a, x, y);
    b = _mm512_fmadd_ps(b, x, y);
    c = _mm512_fmadd_ps(c, x, y);
    d = _mm512_fmadd_ps(d, x, y);
    e = _mm512_fmadd_ps(e, x, y);
    f = _mm512_fmadd_ps(f, x, y);
    g = _mm512_fmadd_ps(g, x, y);
    h = _mm512_fmadd_ps(h, x, y);
    i = _mm512_fmadd_ps(i, x, y);
    j = _mm512_fmadd_ps(j, x, y);
    k = _mm512_fmadd_ps(k, x, y);
    l = _mm512_fmadd_ps(l, x, y);
  }
  const __m512 first = _mm512_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)), _mm512_add_ps(e, f));
  const __m512 second = _mm512_add_ps(_mm512_add_ps(_mm512_add_ps(g, h), _mm512_add_ps(i, j)), _mm512_add_ps(k, l));
  return _mm512_cvtss_f32(_mm512_add_ps(first, second));
}
#endif

struct Measured {
  Loop loop;
  std::int64_t flops;
};

Measured loop_of(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx2) return {loop_avx2, 2 * 8 * kChains * kSteps};
  if (isa == Isa::avx512) return {loop_avx512, 2 * 16 * kChains * kSteps};
#endif
  static_cast<void>(isa);
  return {loop_portable, kPortableFlops};
}

}  // namespace

double measured_peak_gflops(Isa isa, double seconds) {
  using Clock = std::chrono::steady_clock;
  const Measured measured = loop_of(isa);
  constexpr int kLoops = 8;  // a slice
  volatile float sink = 0;
  double best_s = 1e9;
  const auto begin = Clock::now();
  Clock::time_point slice = begin;
  while (std::chrono::duration<double>(slice - begin).count() < seconds || best_s == 1e9) {
    for (int i = 0; i < kLoops; ++i) sink = measured.loop();
    const auto end = Clock::now();
    best_s = std::min(best_s, std::chrono::duration<double>(end - slice).count());
    slice = end;
  }
  static_cast<void>(sink);
  return static_cast<double>(kLoops * measured.flops) / best_s * 1e-9;
}

}  // namespace effnet::kernels
