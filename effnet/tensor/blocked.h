// The layout of activations ("blocked"): channels in blocks of 16; a block holds every pixel of the batch, a pixel 16
// contiguous values:
//
//   value(c, p) = data[(c / 16 * pixels + p) * 16 + c % 16],   p = (image * h + y) * w + x
//
// So a batch is just more pixels, no layer reorders, and every address inside a kernel is a constant away from one
// pointer. Of a last block with at most 8 channels kernels touch the lower half only (24 channels cost 24, not 32).
// Lanes beyond the channels, up to the 8 or 16 that are touched, are padding: they hold finite values that meet zero
// weights.
#pragma once

#include <cstdint>

#include "effnet/base/shape.h"

namespace effnet::tensor {

inline constexpr std::int64_t kBlock = 16;
inline constexpr std::int64_t kAlignment = 64;  // bytes, of every tensor and packed weight

constexpr std::int64_t blocks_of(std::int64_t channels) { return (channels + kBlock - 1) / kBlock; }
// Channels that kernels touch in all: rounded up to 8.
constexpr std::int64_t lanes_of(std::int64_t channels) { return (channels + 7) / 8 * 8; }
constexpr std::int64_t blocked_floats(std::int64_t channels, std::int64_t pixels) {
  return blocks_of(channels) * pixels * kBlock;
}

struct BlockedShape {
  std::int64_t images = 1;
  Chw chw;  // of one image
  std::int64_t pixels() const { return images * chw.pixels(); }
  std::int64_t blocks() const { return blocks_of(chw.c); }
  std::int64_t values() const { return blocks() * block_values(); }
  std::int64_t block_values() const { return pixels() * kBlock; }
  std::int64_t bytes(std::int64_t value_bytes) const { return values() * value_bytes; }
};

}  // namespace effnet::tensor
