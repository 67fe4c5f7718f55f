// The images of a batch as a tensor.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "effnet/base/shape.h"
#include "effnet/data/loader.h"

namespace effnet::train {

// Images [first, first + n) of a batch as (n, 3, h, w); `in` is the shape of one image. On the CPU the tensor shares
// the batch's memory, which is channels-last, and must not be written to. On a GPU it is a copy.
torch::Tensor images_of(const data::Batch& batch, std::int64_t first, std::int64_t n, const Chw& in,
                        torch::Device device);

}  // namespace effnet::train
