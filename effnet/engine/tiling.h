// How a run of pixels is cut into product tiles of the heights that an instruction set has.
#pragma once

#include <array>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::engine {

class Tiling {
 public:
  explicit Tiling(const kernels::KernelSet& set);

  // The index into KernelSet::heights of the first tile of `left` pixels. Long runs take the tallest; the last
  // kExact pixels are cut so that the cost is least: a tile costs its height, at least four (below, the latency of a
  // multiply-add shows), and half a row for its start.
  std::size_t first(std::int64_t left) const {
    return left > kExact ? 0 : first_[static_cast<std::size_t>(left)];
  }

 private:
  static constexpr std::int64_t kExact = 128;
  std::array<std::uint8_t, kExact + 1> first_{};
};

}  // namespace effnet::engine
