// Divides a range of pixels into GEMM tiles of the heights that an instruction set has.
#pragma once

#include <array>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

class TileSchedule {
 public:
  explicit TileSchedule(const kernels::KernelSet& set);

  // Returns the index into KernelSet::heights of the next tile if `left` pixels are left and the panel has `lanes`
  // channels. If more than kExact pixels are left, this is the tallest tile. The last kExact pixels are divided at the
  // minimum cost. The cost of a tile is max(height, 4) + 0.5: tiles lower than 4 pixels are limited by the latency of a
  // multiply-add, and 0.5 is the cost of starting a tile.
  std::size_t next(std::int64_t left, std::int64_t lanes) const {
    const Table& table = lanes > 8 ? wide_ : narrow_;
    return table[static_cast<std::size_t>(left > kExact ? kExact + 1 : left)];
  }

 private:
  static constexpr std::int64_t kExact = 128;
  using Table = std::array<std::uint8_t, kExact + 2>;  // indexed by `left`; the last entry is for more than kExact
  static Table table_of(const kernels::KernelSet& set, std::int64_t lanes);
  Table narrow_, wide_;  // for panels of 8 channels; for wider panels
};

}  // namespace effnet::primitives
