// Tensors of layers are blocked (tensor/blocked.h): block b of a tensor of `pixels` pixels begins at b * pixels * 16;
// lanes beyond the channels may hold anything, and no value of another lane is made of them. Channel vectors are padded
// with zeros to whole blocks. A plane is one block of one image: plane = block * images + image.
#pragma once

#include <cstdint>

#include "effnet/layers/context.h"
#include "effnet/tensor/blocked.h"

namespace effnet::layers {

using tensor::blocks_of;
using tensor::kBlock;

constexpr std::int64_t padded(std::int64_t channels) { return blocks_of(channels) * kBlock; }

// The plane of a task, where tasks go image by image.
constexpr std::int64_t plane_of(std::int64_t task, std::int64_t blocks, std::int64_t images) {
  return task % blocks * images + task / blocks;
}

// A channels-last tensor [pixels][channels] to a blocked one, lanes beyond the channels zero, and back.
void to_blocks(const Context& context, const float* rows, std::int64_t channels, std::int64_t pixels, float* blocked);
void to_rows(const Context& context, const float* blocked, std::int64_t channels, std::int64_t pixels, float* rows);

}  // namespace effnet::layers
