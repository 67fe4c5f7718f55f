// How a run of pixels is cut into product tiles of the heights that an instruction set has.
#pragma once

#include <array>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::engine {

class Tiling {
 public:
  explicit Tiling(const kernels::KernelSet& set);

  // The index into KernelSet::heights of the first tile of `left` pixels x `lanes` channels. Long runs take the
  // tallest; the last kExact pixels are cut so that the cost is least: a tile costs its height, at least four (below,
  // the latency of a multiply-add shows), and half a row for its start.
  std::size_t first(std::int64_t left, std::int64_t lanes) const {
    const Table& table = lanes > 8 ? wide_ : narrow_;
    return table[static_cast<std::size_t>(left > kExact ? kExact + 1 : left)];
  }

 private:
  static constexpr std::int64_t kExact = 128;
  using Table = std::array<std::uint8_t, kExact + 2>;  // by pixels left; the last: more
  static Table table_of(const kernels::KernelSet& set, std::int64_t lanes);
  Table narrow_, wide_;  // up to 8 channels, and more
};

}  // namespace effnet::engine
