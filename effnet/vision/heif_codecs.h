// Decodes the coded images of AVIF and HEIC files to planes, by dav1d and libde265.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "effnet/vision/heif_boxes.h"

namespace effnet::vision {

// A luma plane and two chroma planes, or luma alone.
struct Planes {
  Size size;
  int bits = 8;
  bool grey = false;
  int halved_x = 0, halved_y = 0;  // 1: the chroma planes have half the columns or rows, rounded up
  HeifColour colour;               // as the bitstream declares it
  std::array<std::vector<std::uint16_t>, 3> samples;
};

Size plane_size(const Planes& planes, std::size_t plane);  // plane 0 is luma

// Decodes one still image in the calling thread. Throws Error(input) if the data is corrupt or the image does not have
// the declared size; memory is bounded by the declared size. dav1d prints nothing; libde265 prints a line for some
// corrupt headers, which cannot be suppressed.
Planes decode_coded(const HeifCoded& coded);

}  // namespace effnet::vision
