// What the kernel tests share: memory that shows what was touched, operands, tolerances, comparison with the twin.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "effnet/base/philox.h"
#include "effnet/kernels/kernels.h"
#include "effnet/kernels/reference/kernels.h"

namespace effnet::kernels {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline std::uint32_t bits(float x) { return std::bit_cast<std::uint32_t>(x); }

// A NaN that no operation makes: memory that holds it was not written, and a result of it shows a forbidden read.
inline constexpr std::uint32_t kUntouchedBits = 0x7fc0dead;
inline const float kUntouched = std::bit_cast<float>(kUntouchedBits);

// Exactly `size` floats, all kUntouched, from `shift` floats after a 64-byte boundary to the end of the allocation, so
// that the address sanitizer sees any access beyond.
class Floats {
 public:
  explicit Floats(std::int64_t size, std::int64_t shift = 0)
      : shift_(shift),
        memory_(static_cast<float*>(::operator new(static_cast<std::size_t>(size + shift) * sizeof(float), kAlign))),
        values_(memory_.get() + shift, static_cast<std::size_t>(size)) {
    std::fill(values_.begin(), values_.end(), kUntouched);
  }
  Floats(const Floats& other) : Floats(other.size(), other.shift_) {
    std::copy(other.values_.begin(), other.values_.end(), values_.begin());
  }
  Floats& operator=(const Floats&) = delete;

  float* data() const { return values_.data(); }
  std::int64_t size() const { return static_cast<std::int64_t>(values_.size()); }
  float& operator[](std::int64_t i) const { return values_[static_cast<std::size_t>(i)]; }
  std::span<float> span() const { return values_; }

 private:
  static constexpr std::align_val_t kAlign{kAlignment};
  struct Free {
    void operator()(float* p) const { ::operator delete(p, kAlign); }
  };
  std::int64_t shift_;
  std::unique_ptr<float, Free> memory_;
  std::span<float> values_;
};

// Operands: uniform in [-1, 1), cut from one fixed stream so that thousands of small cases cost nothing to fill.
class Operands {
 public:
  explicit Operands(std::uint64_t seed) : values_(1 << 14) {
    Philox(seed, stream_of("kernels")).fill_uniform(values_, 0, -1, 2);
  }

  void fill(std::span<float> to) {
    for (float& value : to) value = next();
  }
  float next() { return values_[at_++ % (values_.size() - 3)]; }  // 16381 is prime: two cases never share a phase

 private:
  std::vector<float> values_;
  std::size_t at_ = 0;
};

// ---- Tolerances. With u = 2^-24 and gamma(m) = m u / (1 - m u):
//
// A sum of a bias, n products and a residual, in any order and with or without FMA: each term is rounded at most once
// as a product and once by each of the n + 1 additions; the twin's own result is rounded once more when it is stored.
// So |error| <= gamma(n + 3) * S with S = |bias| + sum |a| |w| + |residual| (Higham, Accuracy and Stability, ch. 3). S
// comes from the twin itself, run on absolute values.
//
// An epilogue f then passes this on times its Lipschitz constant (the greatest |f'|) and adds its own error:
//   clamp       1     exact
//   silu        1.1   y = x / (1 + e): exponential, addition and division give 4 ulps of y, 2^-21 |y|, in all. e may be
//                     2^(x log2(e)) with log2(e) and the product rounded to float: an error of 2 u |x| in the exponent,
//                     2^-23 |x| |y|. The exponential may stop at e^+-87 (float ends at e^88.7): |x| e^-87 < |x| 2^-125.
//   sigmoid     0.25  y = 1 / (1 + e): the same, and e^-87 < 2^-125 itself
//   hard_swish  1.5   a gate in [0, 1] with an error of at most 4 u, times x: |x| 2^-22
// and |x| <= S. Results below 2^-126 may be flushed to zero.
inline double gamma(std::int64_t m) {
  const double mu = static_cast<double>(m) * 0x1p-24;
  return mu / (1 - mu);
}

enum class Function { clamp, silu, hard_swish, sigmoid };
inline Function function_of(Epilogue epilogue) { return static_cast<Function>(epilogue); }
static_assert(static_cast<int>(Function::hard_swish) == static_cast<int>(Epilogue::hard_swish));

// Of result y, from n products with operand norm S.
inline double tolerance(Function function, std::int64_t n, double s, double y) {
  const double sum = gamma(n + 3) * s + 0x1p-126;
  const double exponential = std::abs(y) * (0x1p-21 + s * 0x1p-23);
  switch (function) {
    case Function::clamp:
      return sum;
    case Function::silu:
      return 1.1 * sum + exponential + s * 0x1p-125;
    case Function::hard_swish:
      return 1.5 * sum + s * 0x1p-22;
    case Function::sigmoid:
      return 0.25 * sum + exponential + 0x1p-125;
  }
  return 0;
}

// ---- Comparison of all of an output with the twin's: what the twin left untouched must be so, bit for bit; the rest
// is within the tolerance of the norm at the same place. NaN and Inf must meet their like.
inline testing::AssertionResult agree(const Floats& got, const Floats& expected, const Floats& norms, Function function,
                                      std::int64_t n) {
  for (std::int64_t i = 0; i < got.size(); ++i) {
    if (bits(expected[i]) == kUntouchedBits) {
      if (bits(got[i]) == kUntouchedBits) continue;
      return testing::AssertionFailure() << fmt::format("float {} must not be written, got {:.9g}", i, got[i]);
    }
    const bool same = got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]));
    if (same && bits(got[i]) != kUntouchedBits) continue;
    const double error = std::abs(double{got[i]} - double{expected[i]});
    const double allowed = tolerance(function, n, norms[i], expected[i]);
    if (!(error <= allowed && std::isfinite(expected[i]))) {
      return testing::AssertionFailure() << fmt::format(
                 "float {}: got {:.9g}, expected {:.9g}, error {:.3g}, allowed {:.3g}", i, got[i], expected[i], error,
                 allowed);
    }
  }
  return testing::AssertionSuccess();
}

// One result of x. The functions have no limit at -Inf that arithmetic finds (-Inf * 0): Inf or NaN will do, a finite
// number will not.
inline testing::AssertionResult agree_at(float x, float got, float expected, Function function) {
  const double s = std::isinf(x) ? 1 : std::abs(double{x});
  const bool accepted = std::isnan(x)          ? std::isnan(got)
                        : std::isnan(expected) ? !std::isfinite(got)
                        : std::isinf(expected)
                            ? got == expected
                            : std::abs(double{got} - double{expected}) <= tolerance(function, 1, s, expected);
  if (accepted) return testing::AssertionSuccess();
  return testing::AssertionFailure() << fmt::format("f({:.9g}): got {:.9g}, expected {:.9g}", x, got, expected);
}

// Zeros, denormals, the bends of the functions, where exponentials end, great magnitudes, infinities, NaN.
inline const float kExtremes[] = {0.0F, -0.0F, 1e-40F, -1e-40F, 0x1p-126F, -0x1p-126F, 1.0F,  -1.0F,  3.0F,   -3.0F,
                                  6.0F, -6.0F, 20.0F,  -20.0F,  87.5F,     -87.5F,     89.0F, -89.0F, 100.0F, -100.0F,
                                  1e4F, -1e4F, 1e38F,  -1e38F,  kInfinity, -kInfinity, kNan};

inline testing::AssertionResult same_bits(std::span<const float> got, std::span<const float> expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (bits(got[i]) == bits(expected[i])) continue;
    return testing::AssertionFailure() << fmt::format("float {}: got {:.9g}, expected the bits of {:.9g}", i, got[i],
                                                      expected[i]);
  }
  return testing::AssertionSuccess();
}

// The first `lanes` of every pixel of a channel block.
template <class Value>
void fill_lanes(const Floats& to, std::int64_t lanes, Value value) {
  for (std::int64_t i = 0; i < to.size(); ++i) {
    if (i % kBlock < lanes) to[i] = value();
  }
}

inline void make_absolute(std::span<float> values) {
  for (float& value : values) value = bits(value) == kUntouchedBits ? value : std::abs(value);
}

// none, relu, relu6, and one that cuts on both sides.
struct Range {
  float low, high;
};
inline constexpr Range kRanges[] = {{-kInfinity, kInfinity}, {0, kInfinity}, {0, 6}, {-0.25F, 0.5F}};

inline constexpr Epilogue kAllEpilogues[] = {Epilogue::clamp, Epilogue::silu, Epilogue::hard_swish};

// One run of a test for each set of this CPU: `INSTANTIATE_TEST_SUITE_P(Sets, X, usable, isa_name)`.
class InstructionSetTest : public testing::TestWithParam<Isa> {
 protected:
  const KernelSet& set() const { return kernel_set({GetParam()}); }
};
inline std::string isa_name(const testing::TestParamInfo<Isa>& info) { return std::string(name(info.param)); }

}  // namespace effnet::kernels
