// Synthetic images, to calibrate, check and time networks.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/base/thread_pool.h"

namespace effnet::engine {

// Returns batch x C x H x W values with mean 0 and variance 1, like a normalised photograph. Images 0, 2, 4, ... are
// white noise. Images 1, 3, 5, ... have a photograph's spectrum: each is the sum of seven grids of constant patches,
// all with the same amplitude. The patches of the first grid have the size of the image, those of each further grid
// half the side length, and those of the last grid 1/64 of it. An image depends only on seed, index and shape.
std::vector<float> synthetic_images(const Chw& shape, std::int64_t batch, std::uint64_t seed, ThreadPool& pool);

}  // namespace effnet::engine
