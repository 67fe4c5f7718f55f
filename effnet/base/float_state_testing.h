// For tests: the floating-point control bits of the calling thread, on x86 (MXCSR) and 64-bit ARM (FPCR).
#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#define EFFNET_HAS_FLOAT_STATE 1
#elif defined(__aarch64__)
#include <cstdint>
#define EFFNET_HAS_FLOAT_STATE 1
#else
#define EFFNET_HAS_FLOAT_STATE 0
#endif

namespace effnet::testing_support {

#if defined(__SSE__)
inline constexpr unsigned kRoundsDown = 0x2000U, kRoundsToZero = 0x6000U, kFlushesDenormals = 0x8040U;
inline constexpr unsigned kExceptionMasks = 0x1f80U;  // all set: no exception stops the program
// The control bits without the status flags (exceptions that occurred).
inline unsigned float_state() { return _mm_getcsr() & ~0x3fU; }
inline void set_float_state(unsigned state) { _mm_setcsr(state); }
// The default state (round to nearest, denormals kept) with the bits of `changes` set.
inline constexpr unsigned float_state_with(unsigned changes) { return kExceptionMasks | changes; }
#elif defined(__aarch64__)
inline constexpr unsigned kRoundsDown = 2U << 22, kRoundsToZero = 3U << 22, kFlushesDenormals = 1U << 24;
inline unsigned float_state() {
  std::uint64_t state = 0;
  asm volatile("mrs %0, fpcr" : "=r"(state));
  return static_cast<unsigned>(state);
}
inline void set_float_state(unsigned state) { asm volatile("msr fpcr, %0" : : "r"(std::uint64_t{state})); }
inline constexpr unsigned float_state_with(unsigned changes) { return changes; }
#endif

}  // namespace effnet::testing_support
