// Images for viewing: PNG files, and a heat map over a photo.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

// Returns an 8-bit RGB PNG file. Throws Error(input) for an image that is too large for libpng (4 GiB of pixels).
std::vector<std::byte> encode_png(const Image& image);

struct HeatOptions {
  float strength = 0.7F;  // opacity of the hottest point, 0..1; the coldest points have a third of it
  float dim = 0.6F;       // brightness of the photo outside of `where`, 0..1
  bool outline = true;    // draw a thin frame around `where`
};

// Stretches `map` (map_size.h, map_size.w; row-major) over the rectangle `where` of the photo. The smallest value is
// cold (dark blue), the largest hot (red). NaN counts as the smallest value. A map whose values are all equal is cold.
// The map's points are the centres of cells of equal size; between the centres, values are interpolated linearly.
// `where` may extend beyond the photo.
Image overlay_heat(const Image& photo, const Box& where, std::span<const float> map, Size map_size,
                   const HeatOptions& options = {});

// Returns an image of the colours of overlay_heat() from cold (left) to hot (right), both included.
Image heat_scale(Size size);

}  // namespace effnet::vision
