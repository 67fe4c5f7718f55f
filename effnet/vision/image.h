// Images as plain values, and the moves of whole pixels: cropping and turning. Everything is row by row, three
// channels a pixel in the order red, green, blue (HWC); the origin is the upper left corner.
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
  std::vector<float> rgb;  // (h, w, 3) on the scale 0..255; bicubic filters overshoot it
};

// A rectangle in pixels: pixel (y, x) covers [x, x + 1) times [y, y + 1). It may reach beyond the image.
struct Box {
  double x0 = 0;
  double y0 = 0;
  double x1 = 0;
  double y1 = 0;
};

EFFNET_API Image blank(Size size);  // black

// The part of `size` pixels whose upper left pixel is (top, left). What lies outside of the image is black.
EFFNET_API Image crop(const Image& image, std::int64_t top, std::int64_t left, Size size);

// The image upright, from how it was stored: EXIF orientation 1 to 8 (TIFF 6.0, tag 274). 5 to 8 swap the sides.
// Any other number leaves the image as it is.
EFFNET_API Image turned(Image image, int orientation);
// The same for the size of a stored image, and for a box in one of `size`.
EFFNET_API Size turned(Size size, int orientation);
EFFNET_API Box turned(const Box& box, Size size, int orientation);

}  // namespace effnet::vision
