// Images as plain values, and operations on whole pixels: cropping and orienting. Pixels are row-major with three
// channels in the order red, green, blue (HWC); the origin is the upper left corner.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/base/shape.h"

namespace effnet::vision {

struct Image {
  std::int64_t h = 0;
  std::int64_t w = 0;
  std::vector<std::uint8_t> rgb;  // (h, w, 3), 0..255
  friend bool operator==(const Image&, const Image&) = default;
};

struct FloatImage {
  std::int64_t h = 0;
  std::int64_t w = 0;
  std::vector<float> rgb;  // (h, w, 3) on the scale 0..255; bicubic filters exceed it
};

// A rectangle in pixels: the pixel in row y and column x covers [x, x + 1) along x and [y, y + 1) along y. The
// rectangle may extend beyond the image.
struct Box {
  double x0 = 0;
  double y0 = 0;
  double x1 = 0;
  double y1 = 0;
};

EFFNET_API Image blank(Size size);  // black

// Returns the size with the same aspect ratio whose longer side is `longer`. Each side is at least 1.
EFFNET_API Size fitted(Size size, std::int64_t longer);

// Returns the rectangle of `size` whose first pixel is (top, left). Pixels outside of the image are black.
EFFNET_API Image crop(const Image& image, std::int64_t top, std::int64_t left, Size size);

// Returns the upright image for a stored image with EXIF orientation 1 to 8 (TIFF 6.0, tag 274). 5 to 8 swap height and
// width. Any other number leaves the image unchanged.
EFFNET_API Image oriented(Image image, int orientation);
// The first function returns the size of the upright image for a stored image of `size`. The second one returns the
// position in the upright image for a box in a stored image of `size`.
EFFNET_API Size oriented(Size size, int orientation);
EFFNET_API Box oriented(const Box& box, Size size, int orientation);

}  // namespace effnet::vision
