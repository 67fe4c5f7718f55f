// Encodes images as JPEG and WebP, and makes thumbnails. PNG is in draw.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "effnet/vision/image.h"

namespace effnet::vision {

// Returns a baseline JPEG file (4:2:0). Quality is libjpeg's, 1 to 100. Throws Error(input) for an image without pixels
// or with a side over 65,500, which is libjpeg's limit.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);

// Returns a lossy WebP file, quality 1 to 100. Throws Error(input) for an image without pixels or with a side over
// 16,383, which is WebP's limit.
std::vector<std::byte> encode_webp(const Image& image, int quality);

// Shrinks the image to at most `most_px` in width and height and keeps its aspect ratio (each side is at least 1). An
// image that fits is returned unchanged.
Image thumbnail(const Image& image, std::int64_t most_px);

}  // namespace effnet::vision
