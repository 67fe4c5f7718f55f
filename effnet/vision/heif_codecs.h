// The coded images of AVIF and HEIC files as planes, by dav1d and libde265.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "effnet/vision/heif_boxes.h"

namespace effnet::vision {

// Luma and two chroma planes, or luma alone.
struct Planes {
  Size size;
  int bits = 8;
  bool grey = false;
  int halved_x = 0, halved_y = 0;  // 1: the chroma planes have half the columns or rows, rounded up
  HeifColour colour;               // as the bitstream says
  std::array<std::vector<std::uint16_t>, 3> samples;
};

Size plane_size(const Planes& planes, std::size_t plane);  // 0: luma

// One still image, in the calling thread. Throws Error(input) if it is not of the declared size, or damaged; nothing
// larger is allocated. dav1d prints nothing; libde265 prints a line for some damaged headers, with no way to stop it.
Planes decode_coded(const HeifCoded& coded);

}  // namespace effnet::vision
