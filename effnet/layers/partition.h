// How the pixels of a batch are cut into chunks that stay in cache. It follows from shapes and the instruction set,
// never from the number of threads.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/kernels/kernels.h"

namespace effnet::layers {

// A segment is a run of pixels of one image, a chunk some segments that follow each other.
struct Segment {
  std::int64_t image, first, pixels;  // first: a pixel of the batch
};
struct Chunk {
  std::int64_t first, pixels;      // of the batch
  std::int64_t segment, segments;  // segments [segment, segment + segments)
};
struct Partition {
  std::vector<Segment> segments;
  std::vector<Chunk> chunks;
  std::int64_t images = 0, pixels = 0;  // of an image
  std::int64_t longest = 0;             // pixels of the longest chunk
  std::int64_t all_pixels() const { return images * pixels; }
  std::vector<std::int64_t> segment_pixels() const;
};
// floats_a_pixel: what must stay in the second-level cache.
Partition partition(const kernels::KernelSet& set, std::int64_t images, std::int64_t pixels,
                    std::int64_t floats_a_pixel);

}  // namespace effnet::layers
