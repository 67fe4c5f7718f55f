// Counter-based random numbers: number i of a stream is a function of (seed, stream, i). So each element of a tensor
// can be computed on its own, in any order and on any thread.
//
// Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. Logarithm, sine
// and cosine are implemented here because the last bits of libm's results differ between CPUs; with -ffp-contract=off
// every machine gives the same numbers. The code is branch-free, so that loops over it vectorise with SSE2 (the square
// root needs -fno-math-errno).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

namespace effnet {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

constexpr PhiloxCounter philox4x32_10(PhiloxCounter x, PhiloxKey key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53} * x[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57} * x[2];
    x = {static_cast<std::uint32_t>(second >> 32) ^ x[1] ^ key[0], static_cast<std::uint32_t>(second),
         static_cast<std::uint32_t>(first >> 32) ^ x[3] ^ key[1], static_cast<std::uint32_t>(first)};
    key[0] += 0x9E3779B9;  // golden ratio
    key[1] += 0xBB67AE85;  // sqrt(3) - 1
  }
  return x;
}

// The stream number for a name (FNV-1a, 64 bits). So a tensor's values depend on its name, not on its position.
constexpr std::uint64_t stream_of(std::string_view name) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

namespace philox_detail {

// Converts an integer below 2^52 to double. SSE2 has no instruction for this conversion.
inline double from_integer(std::uint64_t value) noexcept {
  return std::bit_cast<double>(value | 0x4330000000000000) - 0x1p52;
}

// ln x for x in [2^-40, 1]. x = m * 2^k with m in [sqrt(1/2), sqrt(2)], and ln m = 2 artanh(s) with s = (m-1)/(m+1).
// The series of artanh ends with s^17: the relative error is below 1e-14.
inline double log_below_one(double x) noexcept {
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcd;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t shifted = (bits + (std::uint64_t{64} << 52) - kRootHalf) >> 52;  // k + 64
  const double m = std::bit_cast<double>(bits - ((shifted - 64) << 52));
  const double s = (m - 1) / (m + 1);
  const double z = s * s;
  double p = 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  return (from_integer(shifted) - 64) * std::numbers::ln2 + 2 * s * (p * z + 1);
}

// cos and sin of a for |a| <= pi/4, Taylor series up to a^14 and a^15: error below 2e-15.
inline std::pair<double, double> cos_sin(double a) noexcept {
  const double z = a * a;
  double c = -1.0 / 87178291200;
  c = c * z + 1.0 / 479001600;
  c = c * z - 1.0 / 3628800;
  c = c * z + 1.0 / 40320;
  c = c * z - 1.0 / 720;
  c = c * z + 1.0 / 24;
  c = c * z - 0.5;
  double s = -1.0 / 1307674368000;
  s = s * z + 1.0 / 6227020800;
  s = s * z - 1.0 / 39916800;
  s = s * z + 1.0 / 362880;
  s = s * z - 1.0 / 5040;
  s = s * z + 1.0 / 120;
  s = s * z - 1.0 / 6;
  return {c * z + 1, (s * z + 1) * a};
}

// Box-Muller: two independent standard normals from two 32-bit words. The first word gives the radius (at most 6.8),
// the second the angle: the top two bits select the quadrant, the other 30 bits an angle of -pi/4..pi/4 within it.
inline std::pair<double, double> normal_pair(std::uint32_t radius_bits, std::uint32_t angle_bits) noexcept {
  const double u = (from_integer(radius_bits) + 0.5) * 0x1p-32;
  const double radius = std::sqrt(-2 * log_below_one(u));
  const double turn = (from_integer(angle_bits & 0x3fffffff) + 0.5) * 0x1p-30 - 0.5;
  const auto [c, s] = cos_sin(turn * (std::numbers::pi / 2));
  // Rotations by 0..3 quarter turns map (c, s) to (c, s), (-s, c), (-c, -s), (s, -c).
  const std::uint64_t quarter = angle_bits >> 30;
  const std::uint64_t swap = 0 - (quarter & 1);
  const auto cb = std::bit_cast<std::uint64_t>(c);
  const auto sb = std::bit_cast<std::uint64_t>(s);
  const std::uint64_t exchanged = (cb ^ sb) & swap;
  const std::uint64_t x = (cb ^ exchanged) ^ (((quarter ^ (quarter >> 1)) & 1) << 63);
  const std::uint64_t y = (sb ^ exchanged) ^ ((quarter >> 1) << 63);
  return {radius * std::bit_cast<double>(x), radius * std::bit_cast<double>(y)};
}

}  // namespace philox_detail

// One stream of numbers. It has no state: it can be copied and used from any thread.
class Philox {
 public:
  constexpr Philox(std::uint64_t seed, std::uint64_t stream) noexcept : seed_(seed), stream_(stream) {}

  // Four random words. The functions below take number i from block i / 4.
  constexpr PhiloxCounter block(std::uint64_t index) const noexcept {
    return philox4x32_10({low(index), high(index), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
  }

  // Number i, uniform over the multiples of 2^-24 in [0, 1).
  constexpr float uniform(std::uint64_t i) const noexcept { return unit(block(i / 4)[i % 4]); }

  // Number i, standard normal.
  float normal(std::uint64_t i) const noexcept {
    const PhiloxCounter words = block(i / 4);
    const std::size_t first = i % 4 / 2 * 2;
    const auto [x, y] = philox_detail::normal_pair(words[first], words[first + 1]);
    return static_cast<float>(i % 2 == 0 ? x : y);
  }

  // fill_uniform: out[j] = offset + scale * uniform(first + j). fill_normal: out[j] = scale * normal(first + j).
  // The result is rounded to float32 after each operation.
  void fill_uniform(std::span<float> out, std::uint64_t first, float offset, float scale) const noexcept {
    fill(out, first, [&](const Lanes& words, float* values) {
      for (std::size_t j = 0; j < kLanes; ++j) {
        for (std::size_t word = 0; word < 4; ++word) values[4 * j + word] = offset + scale * unit(words[word][j]);
      }
    });
  }
  void fill_normal(std::span<float> out, std::uint64_t first, float scale) const noexcept {
    fill(out, first, [&](const Lanes& words, float* values) {
      for (std::size_t pair = 0; pair < 4; pair += 2) {
        double x[kLanes], y[kLanes];
        for (std::size_t j = 0; j < kLanes; ++j) {
          const auto [a, b] = philox_detail::normal_pair(words[pair][j], words[pair + 1][j]);
          x[j] = a;
          y[j] = b;
        }
        for (std::size_t j = 0; j < kLanes; ++j) {
          values[4 * j + pair] = scale * static_cast<float>(x[j]);
          values[4 * j + pair + 1] = scale * static_cast<float>(y[j]);
        }
      }
    });
  }

 private:
  static constexpr std::size_t kLanes = 16;  // blocks computed together: 16 x 4 words fill SSE2 and AVX-512 registers
  using Lanes = std::uint32_t[4][kLanes];

  static constexpr std::uint32_t low(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(value); }
  static constexpr std::uint32_t high(std::uint64_t value) noexcept { return static_cast<std::uint32_t>(value >> 32); }
  static constexpr float unit(std::uint32_t word) noexcept { return static_cast<float>(word >> 8) * 0x1p-24F; }

  // Computes the blocks index .. index + kLanes - 1. The result is x[word][block].
  void blocks(std::uint64_t index, Lanes& x) const noexcept {
    for (std::size_t j = 0; j < kLanes; ++j) {
      x[0][j] = low(index + j);
      x[1][j] = high(index + j);
      x[2][j] = low(stream_);
      x[3][j] = high(stream_);
    }
    std::uint32_t key0 = low(seed_), key1 = high(seed_);
    for (int round = 0; round < 10; ++round) {
      for (std::size_t j = 0; j < kLanes; ++j) {
        const std::uint64_t first = std::uint64_t{0xD2511F53} * x[0][j];
        const std::uint64_t second = std::uint64_t{0xCD9E8D57} * x[2][j];
        x[0][j] = static_cast<std::uint32_t>(second >> 32) ^ x[1][j] ^ key0;
        x[1][j] = static_cast<std::uint32_t>(second);
        x[2][j] = static_cast<std::uint32_t>(first >> 32) ^ x[3][j] ^ key1;
        x[3][j] = static_cast<std::uint32_t>(first);
      }
      key0 += 0x9E3779B9;
      key1 += 0xBB67AE85;
    }
  }

  template <class Convert>
  void fill(std::span<float> out, std::uint64_t first, Convert convert) const noexcept {
    Lanes words;
    float values[4 * kLanes];
    std::size_t done = 0;
    while (done < out.size()) {
      const std::uint64_t at = first + done;
      blocks(at / 4, words);
      convert(words, values);
      const std::size_t skip = at % 4;
      const std::size_t count = std::min(out.size() - done, 4 * kLanes - skip);
      for (std::size_t j = 0; j < count; ++j) out[done + j] = values[skip + j];
      done += count;
    }
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace effnet
