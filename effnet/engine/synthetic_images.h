// Synthetic images, to calibrate, check and time networks.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/base/thread_pool.h"

namespace effnet::engine {

// Returns batch x C x H x W values with mean 0 and variance 1, like a normalised photograph. Even images are white
// noise. Odd images have a photograph's spectrum: the sum of seven octaves of square patches, from the full side to
// 1/64 of it, all with the same amplitude. An image depends only on seed, index and shape.
std::vector<float> synthetic_images(const Chw& shape, std::int64_t batch, std::uint64_t seed, ThreadPool& pool);

}  // namespace effnet::engine
