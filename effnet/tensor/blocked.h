// The blocked layout of activations: channels in blocks of 16. A block contains all pixels of the batch; each pixel of
// a block is 16 contiguous values:
//
//   value(c, p) = data[(c / 16 * pixels + p) * 16 + c % 16],   p = (image * h + y) * w + x
//
// So a batch only adds pixels, no layer changes the layout, and all addresses in a kernel are constant offsets from one
// pointer. If the last block has at most 8 channels, kernels process only its lower 8 lanes (for 24 channels: 24 lanes,
// not 32). Padding lanes are the processed lanes beyond the last channel. In the engine their values are finite and are
// multiplied by zero weights; the training layers allow any value there (effnet/layers/layout.h).
#pragma once

#include <cstdint>

#include "effnet/base/shape.h"

namespace effnet::tensor {

inline constexpr std::int64_t kBlock = 16;
inline constexpr std::int64_t kAlignment = 64;  // of each tensor and packed weight, in bytes

constexpr std::int64_t blocks_of(std::int64_t channels) { return (channels + kBlock - 1) / kBlock; }
// Number of lanes that kernels process: the channels, rounded up to a multiple of 8.
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
