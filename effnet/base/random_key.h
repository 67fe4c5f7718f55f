// The random numbers of training depend on (seed, epoch, sample, purpose) only. There is no state to save, and they do
// not depend on threads, batches or the number of processes.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "effnet/base/philox.h"

namespace effnet {

// One sample in one epoch. For numbers that are drawn once per batch or epoch, `sample` is the batch number or 0.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  std::uint64_t sample = 0;
};

// The sequence of random numbers of one key and purpose: at most 2^24 numbers. A purpose is a word such as "crop" or
// a node's name. Different keys or purposes give independent sequences.
class Draws {
 public:
  Draws(const RandomKey& key, std::string_view purpose) noexcept
      : philox_(key.seed, stream_of(purpose) ^ (key.epoch * 0x9E3779B97F4A7C15)), next_(key.sample << 24) {}

  float uniform() noexcept { return philox_.uniform(next_++); }  // [0, 1)
  double uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }
  // Uniform integer in 0 .. n - 1, with n at most 2^31; the bias is below n / 2^53.
  std::int64_t below(std::int64_t n) noexcept {
    const std::uint64_t high = static_cast<std::uint64_t>(uniform() * 0x1p24F);
    const std::uint64_t low = static_cast<std::uint64_t>(uniform() * 0x1p24F);
    return static_cast<std::int64_t>(
        std::floor(static_cast<double>(high << 24 | low) * 0x1p-48 * static_cast<double>(n)));
  }
  bool chance(double probability) noexcept { return uniform() < probability; }
  // Consumes two numbers of the sequence, the first at an even index. Philox computes a normal from exactly these two
  // numbers, so no other draw uses the same random bits.
  double normal() noexcept {
    const std::uint64_t first = next_ + next_ % 2;
    next_ = first + 2;
    return philox_.normal(first);
  }

 private:
  Philox philox_;
  std::uint64_t next_;
};

}  // namespace effnet
