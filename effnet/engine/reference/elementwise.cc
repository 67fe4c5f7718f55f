// Operations that work in place: batch norm, channel scale, activations, addition.
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "effnet/engine/reference/ops.h"

namespace effnet::engine::reference {
namespace {

// Returns e^x for |x| <= 700, as 2^k * e^r with an integer k and |r| <= ln(2)/2. e^r is a Taylor polynomial up to r^10;
// the relative error is 3e-13. Adding 1.5 * 2^52 to x / ln(2) rounds to the nearest integer k and leaves k in the low
// bits.
inline double exponential(double x) {
  constexpr double kRound = 0x1.8p52;
  const double rounded = x * std::numbers::log2e + kRound;
  const double r = x - (rounded - kRound) * std::numbers::ln2;
  double p = 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1;
  p = p * r + 1;
  return p * std::bit_cast<double>((std::bit_cast<std::uint64_t>(rounded) + 1023) << 52);
}

// Returns NaN for NaN: both comparisons are then false.
template <class Value>
Value clamp_to_six(Value x) {
  x = x < 0 ? 0 : x;
  return x > 6 ? 6 : x;
}

template <class Function>
void apply(std::span<float> values, std::int64_t begin, std::int64_t end, Function function) {
  float* const data = values.data();
  for (std::int64_t i = begin; i < end; ++i) data[i] = static_cast<float>(function(data[i]));
}

// value = function(value, e^-value). Works on blocks of 64 values, because GCC vectorises the three loops only if they
// are separate. The exponents -value are clamped to +-700; beyond that the functions below do not change in float.
template <class Function>
void apply_with_exponential(std::span<float> values, std::int64_t begin, std::int64_t end, Function function) {
  constexpr std::int64_t kValues = 64;
  double exponents[kValues];
  for (; begin < end; begin += kValues) {
    float* const data = values.data() + begin;
    const std::int64_t count = std::min(kValues, end - begin);
    for (std::int64_t i = 0; i < count; ++i) {
      const double x = -data[i] < -700.0F ? -700.0F : -data[i];
      exponents[i] = x > 700.0 ? 700.0 : x;
    }
    for (std::int64_t i = 0; i < count; ++i) exponents[i] = exponential(exponents[i]);
    for (std::int64_t i = 0; i < count; ++i) data[i] = static_cast<float>(function(double{data[i]}, exponents[i]));
  }
}

}  // namespace

void batch_norm(const BatchNormParameters& parameters, std::int64_t pixels, std::span<float> values, std::int64_t begin,
                std::int64_t end) noexcept {
  for (std::int64_t task = begin; task < end; ++task) {
    const std::size_t c = static_cast<std::size_t>(task) % parameters.weight.size();
    const double scale = parameters.weight[c] / std::sqrt(parameters.variance[c] + parameters.epsilon);
    const double mean = parameters.mean[c];
    const double bias = parameters.bias[c];
    apply(values, task * pixels, (task + 1) * pixels, [=](float x) { return (x - mean) * scale + bias; });
  }
}

void multiply_planes(std::int64_t pixels, std::span<const float> scales, std::span<float> values, std::int64_t begin,
                     std::int64_t end) noexcept {
  for (std::int64_t task = begin; task < end; ++task) {
    const float scale = scales[static_cast<std::size_t>(task)];
    apply(values, task * pixels, (task + 1) * pixels, [=](float x) { return x * scale; });
  }
}

void activate(graph::Activation kind, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept {
  using graph::Activation;
  switch (kind) {
    case Activation::none:
      break;
    case Activation::relu:
      apply(values, begin, end, [](float x) { return x < 0 ? 0 : x; });
      break;
    case Activation::relu6:
      apply(values, begin, end, [](float x) { return clamp_to_six(x); });
      break;
    case Activation::silu:
      apply_with_exponential(values, begin, end, [](double x, double e) { return x / (1 + e); });
      break;
    case Activation::hard_swish:
      apply(values, begin, end, [](double x) { return x * clamp_to_six(x + 3) / 6; });
      break;
    case Activation::sigmoid:
      apply_with_exponential(values, begin, end, [](double, double e) { return 1 / (1 + e); });
      break;
  }
}

void add(std::span<const float> other, std::span<float> values, std::int64_t begin, std::int64_t end) noexcept {
  const float* const from = other.data();
  float* const to = values.data();
  for (std::int64_t i = begin; i < end; ++i) to[i] += from[i];
}

}  // namespace effnet::engine::reference
