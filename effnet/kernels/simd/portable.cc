// Standard C++ with the compilers' generic vectors of four floats. It runs on any processor and is used where no better
// set is available.
#include <cstdint>
#include <cstring>

#define EFFNET_TARGET portable

namespace effnet::kernels::portable {
namespace {

using Quad = float __attribute__((vector_size(16)));

template <int kQuads>
struct Vector {
  Quad quad[kQuads];
};
using Half = Vector<2>;
using Wide = Vector<4>;

// 16 registers of the x86-64 baseline: 2 x 4 accumulators, four registers of weights, one broadcast input.
constexpr int kHeights[] = {2, 1};
constexpr int kTallest = 2;
constexpr int kTile = 16;
constexpr int kCascadePixels = 42;
constexpr int kCacheBytes = 512 << 10;
constexpr int kPrefetchInterval = 1;
constexpr bool kEqualRuns = false;
constexpr int kDepthwiseRun = 2;
constexpr int kWeightRows = 2, kWeightBlocks = 1;
constexpr int kWeightSums = 0;  // 0: a pass of a depthwise weight gradient computes one window row
constexpr int kMomentChains = 4;
constexpr int kDataGradientPairs = 2;
constexpr bool kWideIsTwo = false;
constexpr int kUnrolledWindow = 0;  // every window uses a loop over its rows: less code, a few percent slower
constexpr int kPeakChains = 3;      // each one is four registers

template <class V>
inline constexpr int kQuadsOf = sizeof(V) / sizeof(Quad);

template <class V, class Function>
[[gnu::always_inline]] inline V each(Function function) {
  V result;
  for (int i = 0; i < kQuadsOf<V>; ++i) result.quad[i] = function(i);
  return result;
}

template <class V>
inline V load(const float* p) {
  V v;
  std::memcpy(&v, p, sizeof(V));
  return v;
}
template <class V>
inline V broadcast(float x) {
  return each<V>([&](int) { return Quad{x, x, x, x}; });
}
template <int N>
inline void store(float* p, Vector<N> v) {
  std::memcpy(p, &v, sizeof(v));
}
inline void stream(float* p, Wide v) { store(p, v); }
inline void end_streams() {}
// Rounds twice, because the x86-64 baseline has no fused multiply-add.
template <int N>
inline Vector<N> fma(Vector<N> a, Vector<N> b, Vector<N> c) {
  return each<Vector<N>>([&](int i) { return a.quad[i] * b.quad[i] + c.quad[i]; });
}
template <int N>
inline Vector<N> add(Vector<N> a, Vector<N> b) {
  return each<Vector<N>>([&](int i) { return a.quad[i] + b.quad[i]; });
}
template <int N>
inline Vector<N> sub(Vector<N> a, Vector<N> b) {
  return each<Vector<N>>([&](int i) { return a.quad[i] - b.quad[i]; });
}
template <int N>
inline Vector<N> mul(Vector<N> a, Vector<N> b) {
  return each<Vector<N>>([&](int i) { return a.quad[i] * b.quad[i]; });
}
template <int N>
inline Vector<N> div(Vector<N> a, Vector<N> b) {
  return each<Vector<N>>([&](int i) { return a.quad[i] / b.quad[i]; });
}
template <int N>
inline Vector<N> at_least(Vector<N> x, Vector<N> low) {  // NaN if x is NaN
  return each<Vector<N>>([&](int i) { return x.quad[i] < low.quad[i] ? low.quad[i] : x.quad[i]; });
}
template <int N>
inline Vector<N> at_most(Vector<N> x, Vector<N> high) {
  return each<Vector<N>>([&](int i) { return x.quad[i] > high.quad[i] ? high.quad[i] : x.quad[i]; });
}
template <int N>
inline Vector<N> add_to_exponent(Vector<N> x, Vector<N> whole) {  // whole = 1.5 * 2^23 + n; adds n
  using Bits = std::uint32_t __attribute__((vector_size(16)));
  return each<Vector<N>>([&](int i) { return (Quad)((Bits)x.quad[i] + ((Bits)whole.quad[i] << 23)); });
}
template <int N>
inline Vector<N> larger(Vector<N> a, Vector<N> b) {  // NaN if either one is NaN
  return each<Vector<N>>(
      [&](int i) { return ((a.quad[i] > b.quad[i]) | (a.quad[i] != a.quad[i])) ? a.quad[i] : b.quad[i]; });
}
// 1 where low < x < high, else 0; for NaN 0.
template <int N>
inline Vector<N> inside(Vector<N> x, Vector<N> low, Vector<N> high) {
  return each<Vector<N>>([&](int i) {
    return ((x.quad[i] > low.quad[i]) & (x.quad[i] < high.quad[i])) ? Quad{1, 1, 1, 1} : Quad{0, 0, 0, 0};
  });
}
// Only the first n (1..16) floats are read or written. load_first sets the other lanes to zero.
inline Wide load_first(const float* p, std::int64_t n) {
  Wide v = broadcast<Wide>(0);
  std::memcpy(&v, p, static_cast<std::size_t>(n) * sizeof(float));
  return v;
}
inline void store_first(float* p, Wide v, std::int64_t n) {
  std::memcpy(p, &v, static_cast<std::size_t>(n) * sizeof(float));
}
inline Half lower_half(Wide v) { return {v.quad[0], v.quad[1]}; }
template <int N>
inline void keep_in_register(Vector<N>&) {}
template <int N>
inline void accumulate(Vector<N>& sum, Vector<N> a, Vector<N> b) {
  sum = fma(a, b, sum);
}
inline void accumulate_at(Wide& sum, const float* p, Wide b) { sum = fma(load<Wide>(p), b, sum); }
inline void prefetch(const float* line) { __builtin_prefetch(line, 0, 2); }
template <int N>
inline void compiler_barrier(Vector<N>&) {}

}  // namespace
}  // namespace effnet::kernels::portable

#include "effnet/kernels/exp-inl.h"

namespace effnet::kernels::portable {
namespace {

template <int N>
inline Vector<N> one_plus_exp_of_minus(Vector<N> x) {
  return one_plus_exp_of_minus_by_polynomial(x);
}

}  // namespace
}  // namespace effnet::kernels::portable

#include "effnet/kernels/target-inl.h"

namespace effnet::kernels::portable {

constinit const KernelSet kKernels = kernel_table(Isa::portable);
constinit const TrainingSet kTraining = training_table(Isa::portable);

}  // namespace effnet::kernels::portable
