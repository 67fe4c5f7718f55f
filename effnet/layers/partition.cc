#include "effnet/layers/partition.h"

#include <algorithm>

namespace effnet::layers {
namespace {

// Longest chunk, in pixels: 14 tiles of 14 pixels. This is a whole image of 14 x 14 pixels, or 7 rows of 28 pixels.
constexpr std::int64_t kLongest = 196;
// A chunk of several small images contains at most an eighth of the images (rounded up), so that there is work for
// several threads.
constexpr std::int64_t kFewestChunks = 8;

}  // namespace

std::vector<std::int64_t> Partition::segment_pixels() const {
  std::vector<std::int64_t> counts;
  for (const Segment& segment : segments) counts.push_back(segment.pixels);
  return counts;
}

Partition partition(const kernels::KernelSet& set, std::int64_t images, std::int64_t pixels,
                    std::int64_t floats_per_pixel) {
  Partition result;
  result.images = images;
  result.pixels = pixels;
  const std::int64_t step = set.tallest();  // part lengths are multiples of a full tile
  // 45 % of the cache (460 / 1024), in floats of 4 bytes. The rest is for weights and results.
  const std::int64_t floats = set.cache_bytes / 1024 * 460 / 4;
  const std::int64_t fitting = floats / floats_per_pixel / step * step;
  const std::int64_t most = std::clamp(fitting, step, kLongest);
  const std::int64_t together =
      std::max<std::int64_t>(1, std::min(most / pixels, (images + kFewestChunks - 1) / kFewestChunks));
  const std::int64_t parts = (pixels + most - 1) / most;
  const std::int64_t part = std::min(pixels, (pixels + parts - 1) / parts + step - 1) / step * step;
  const std::int64_t length = parts == 1 ? pixels : part;
  for (std::int64_t image = 0; image < images; ++image) {
    for (std::int64_t at = 0; at < pixels; at += length) {
      const Segment segment{image, image * pixels + at, std::min(length, pixels - at)};
      const auto id = static_cast<std::int64_t>(result.segments.size());
      result.segments.push_back(segment);
      if (parts == 1 && image % together != 0) {
        result.chunks.back().pixels += segment.pixels;
        ++result.chunks.back().segments;
      } else {
        result.chunks.push_back({segment.first, segment.pixels, id, 1});
      }
      result.longest_chunk = std::max(result.longest_chunk, result.chunks.back().pixels);
    }
  }
  return result;
}

}  // namespace effnet::layers
