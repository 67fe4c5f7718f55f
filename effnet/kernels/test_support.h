// Helpers of the kernel tests: memory that detects forbidden accesses, operands, tolerances, comparison with the
// reference.
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

// A NaN with bits that no operation produces. Memory that still has these bits was not written. A NaN in a result means
// that the kernel read memory that it must not read.
inline constexpr std::uint32_t kUntouchedBits = 0x7fc0dead;
inline const float kUntouched = std::bit_cast<float>(kUntouchedBits);

// `size` floats, all kUntouched. They begin `shift` floats after a 64-byte boundary and end where the allocation ends,
// so that the address sanitizer detects any access beyond the end.
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

// Operands: uniform in [-1, 1). All cases take them from one precomputed array, because there are thousands of small
// cases.
class Operands {
 public:
  explicit Operands(std::uint64_t seed) : values_(1 << 14) {
    Philox(seed, stream_of("kernels")).fill_uniform(values_, 0, -1, 2);
  }

  void fill(std::span<float> to) {
    for (float& value : to) value = next();
  }
  // The index is taken modulo values_.size() - 3 = 16381, a prime number, so that cases begin at different positions.
  float next() { return values_[at_++ % (values_.size() - 3)]; }

 private:
  std::vector<float> values_;
  std::size_t at_ = 0;
};

// ---- Tolerances. With u = 2^-24 and gamma(m) = m u / (1 - m u):
//
// A sum of a bias, n products and a residual, in any order, with or without FMA: each term is rounded at most once as a
// product and once by each of the n + 1 additions. The reference rounds once more when it stores its result. So each
// term has at most 1 + (n + 1) + 1 = n + 3 roundings, and |error| <= gamma(n + 3) * S with S = |bias| + sum |a| |w| +
// |residual| (Higham, Accuracy and Stability, ch. 3). The reference computes S on absolute values.
//
// An epilogue f multiplies this error by its Lipschitz constant (the greatest |f'|, second column) and adds its own
// error (third column):
//   clamp       1     exact
//   silu        1.1   y = x / (1 + exp(-x)): exponential, addition and division together give 4 ulps of y: 2^-21 |y|.
//                     exp(-x) may be computed as 2^(-x log2(e)), with log2(e) and the product rounded to float: an
//                     error of 2 u |x| in the exponent, so 2^-23 |x| |y|.
//                     A kernel may clamp the exponent to +-87 (float overflows at e^88.7): |x| e^-87 < |x| 2^-125.
//   sigmoid     0.25  y = 1 / (1 + exp(-x)): the same errors, but the clamp adds e^-87 < 2^-125
//   hard_swish  1.5   a factor in [0, 1] with an error of at most 4 u, times x: |x| 2^-22
// In all rows |x| <= S. Results below 2^-126 may be flushed to zero.
inline double gamma(std::int64_t m) {
  const double mu = static_cast<double>(m) * 0x1p-24;
  return mu / (1 - mu);
}

enum class Function { clamp, silu, hard_swish, sigmoid };
inline Function function_of(Epilogue epilogue) { return static_cast<Function>(epilogue); }
static_assert(static_cast<int>(Function::hard_swish) == static_cast<int>(Epilogue::hard_swish));

// Returns the tolerance of a result y that is computed from n products, where s is S of the formulas above.
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

// ---- Compares a whole output with the output of the reference. Floats that the reference did not write must not be
// written. The other floats must be within the tolerance for S = norms[i]. NaN and Inf must be equal to those of the
// reference.
// others must be within the tolerance for the norm at the same index. NaN and Inf must be equal to the reference's.
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

// Compares one result f(x). At x = -Inf, silu and hard_swish compute -Inf * 0, and the reference gives NaN. There the
// kernel may return Inf or NaN, but no finite number.
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

// Zeros, denormals, the kinks of the functions, the limits of the exponential, large magnitudes, infinities, NaN.
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

// Sets the first `lanes` lanes of every pixel of a channel block.
template <class Value>
void fill_lanes(const Floats& to, std::int64_t lanes, Value value) {
  for (std::int64_t i = 0; i < to.size(); ++i) {
    if (i % kBlock < lanes) to[i] = value();
  }
}

inline void make_absolute(std::span<float> values) {
  for (float& value : values) value = bits(value) == kUntouchedBits ? value : std::abs(value);
}

// The bounds of the activations none, relu and relu6, and a range that clamps on both sides.
struct Range {
  float low, high;
};
inline constexpr Range kRanges[] = {{-kInfinity, kInfinity}, {0, kInfinity}, {0, 6}, {-0.25F, 0.5F}};

inline constexpr Epilogue kAllEpilogues[] = {Epilogue::clamp, Epilogue::silu, Epilogue::hard_swish};

// A fixture for tests that run once for each instruction set of this CPU:
// INSTANTIATE_TEST_SUITE_P(Sets, X, testing::ValuesIn(usable_sets()), isa_name).
class InstructionSetTest : public testing::TestWithParam<Isa> {
 protected:
  const KernelSet& set() const { return kernel_set({GetParam()}); }
};
inline std::string isa_name(const testing::TestParamInfo<Isa>& info) { return std::string(name(info.param)); }

}  // namespace effnet::kernels
