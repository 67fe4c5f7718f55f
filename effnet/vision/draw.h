// Images for people: PNG files, and a heat map over a photograph.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

// An 8-bit RGB PNG file. Throws Error(input) for an image too large for libpng (4 GiB of pixels).
std::vector<std::byte> encode_png(const Image& image);

struct HeatOptions {
  float strength = 0.7F;  // opacity of the hottest place, 0..1; cold places are a third as opaque
  float dim = 0.6F;       // brightness of the photograph outside of `where`, 0..1
  bool outline = true;    // a thin frame around `where`
};

// `map` (map_size.h, map_size.w), row by row, stretched over the rectangle `where` of the photograph: its smallest
// value is shown cold (dark blue), its largest hot (red); NaN counts as the smallest, a map of one value is all cold.
// Between the map's points, which are the centres of equal cells, it is interpolated linearly. `where` may leave the
// photograph.
Image overlay_heat(const Image& photo, const Box& where, std::span<const float> map, Size map_size,
                   const HeatOptions& options = {});

}  // namespace effnet::vision
