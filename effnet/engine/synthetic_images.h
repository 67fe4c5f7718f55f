// Images for when there are none: to calibrate, check and time a network.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/base/thread_pool.h"

namespace effnet::engine {

// batch x C x H x W values of mean 0 and variance 1, as a normalised photograph has. Even images are white noise, odd
// ones have a photograph's spectrum: the sum of seven octaves of square patches, from the whole side down to 1/64 of
// it, all of the same strength. An image depends on seed, its number and the shape alone.
std::vector<float> synthetic_images(const Chw& shape, std::int64_t batch, std::uint64_t seed, ThreadPool& pool);

}  // namespace effnet::engine
