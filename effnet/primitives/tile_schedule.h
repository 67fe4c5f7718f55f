// How a run of pixels is cut into GEMM tiles of the heights that an instruction set has.
#pragma once

#include <array>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

class TileSchedule {
 public:
  explicit TileSchedule(const kernels::KernelSet& set);

  // The index into KernelSet::heights of the next tile, for a run with `left` pixels left and a panel of `lanes`
  // channels. A long run takes the tallest tile. The last kExact pixels are cut at the least cost: a tile costs its
  // height, at least 4 (below 4 the latency of a multiply-add shows), and half a pixel for its start.
  std::size_t next(std::int64_t left, std::int64_t lanes) const {
    const Table& table = lanes > 8 ? wide_ : narrow_;
    return table[static_cast<std::size_t>(left > kExact ? kExact + 1 : left)];
  }

 private:
  static constexpr std::int64_t kExact = 128;
  using Table = std::array<std::uint8_t, kExact + 2>;  // by pixels left; the last entry: more than kExact
  static Table table_of(const kernels::KernelSet& set, std::int64_t lanes);
  Table narrow_, wide_;  // panels of up to 8 channels, and wider ones
};

}  // namespace effnet::primitives
