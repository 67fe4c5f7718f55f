// Division of a batch's pixels into chunks that fit in the cache. The division depends on shapes and the instruction
// set only, not on the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/kernels/kernels.h"

namespace effnet::layers {

// A segment is a range of pixels of one image. A chunk is one or more consecutive segments. Pixels are counted from the
// start of the batch.
struct Segment {
  std::int64_t image, first, pixels;  // pixels [first, first + pixels) of the batch
};
struct Chunk {
  std::int64_t first, pixels;      // pixels [first, first + pixels) of the batch
  std::int64_t segment, segments;  // segments [segment, segment + segments)
};
struct Partition {
  std::vector<Segment> segments;
  std::vector<Chunk> chunks;
  std::int64_t images = 0, pixels = 0;  // number of images; pixels per image
  std::int64_t longest_chunk = 0;       // in pixels
  std::int64_t total_pixels() const { return images * pixels; }
  std::vector<std::int64_t> segment_pixels() const;  // number of pixels of each segment
};
// floats_per_pixel: number of floats of each pixel that must stay in the second-level cache while a chunk is processed.
Partition partition(const kernels::KernelSet& set, std::int64_t images, std::int64_t pixels,
                    std::int64_t floats_per_pixel);

}  // namespace effnet::layers
