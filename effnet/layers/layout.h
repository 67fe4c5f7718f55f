// Memory layout of layer tensors. A tensor of `pixels` pixels is blocked (tensor/blocked.h): channel block b begins at
// b * pixels * 16 floats. Padding lanes are undefined. This is safe, because every lane is computed independently of
// the others. Channel vectors are padded with zeros to whole blocks. A plane is one channel block of one image:
// plane = block * images + image.
#pragma once

#include <cstdint>

#include "effnet/layers/context.h"
#include "effnet/tensor/blocked.h"

namespace effnet::layers {

using tensor::blocks_of;
using tensor::kBlock;

constexpr std::int64_t padded(std::int64_t channels) { return blocks_of(channels) * kBlock; }

// The plane of task number `task`, for loops that finish one image before the next.
constexpr std::int64_t plane_of(std::int64_t task, std::int64_t blocks, std::int64_t images) {
  return task % blocks * images + task / blocks;
}

// to_blocks() converts a channels-last tensor [pixels][channels] to the blocked layout and sets padding lanes to zero.
// to_rows() converts back.
void to_blocks(const Context& context, const float* rows, std::int64_t channels, std::int64_t pixels, float* blocked);
void to_rows(const Context& context, const float* blocked, std::int64_t channels, std::int64_t pixels, float* rows);

}  // namespace effnet::layers
