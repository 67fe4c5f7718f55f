// Images as JPEG and WebP files, and small ones for pages. PNG is in draw.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "effnet/vision/image.h"

namespace effnet::vision {

// A baseline JPEG file (4:2:0), quality 1 to 100 as libjpeg counts it. Throws Error(input) for an image without pixels
// or with a side over 65,500, which is libjpeg's limit.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);

// A lossy WebP file, quality 1 to 100. Throws Error(input) as encode_jpeg does; WebP's limit is 16,383.
std::vector<std::byte> encode_webp(const Image& image, int quality);

// The image at most `most_px` wide and high, its shape kept (a side is at least 1); as it is if it fits.
Image thumbnail(const Image& image, std::int64_t most_px);

}  // namespace effnet::vision
