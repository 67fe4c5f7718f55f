// Reads the container of AVIF and HEIC files (ISO/IEC 23008-12), as far as one still image needs it: the coded images
// of the primary item, and the operations on them. Nothing is decoded and no memory for pixels is allocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "effnet/base/shape.h"

namespace effnet::vision {

enum class HeifCodec { av1, hevc };

struct HeifCoded {
  HeifCodec codec = HeifCodec::av1;
  Size size;                          // as declared
  std::span<const std::byte> config;  // the body of av1C or hvcC
  std::vector<std::byte> data;        // its bitstream, contiguous
};

struct HeifColour {  // code points of ISO/IEC 23091-2
  int matrix = 2;    // 2: unspecified
  bool full_range = true;
};

struct HeifImage {
  Size size;  // before the crop and the orientations
  std::int64_t rows = 1, columns = 1;
  std::vector<HeifCoded> tiles;  // of equal size, row-major; the last row and column may extend beyond `size`
  std::optional<HeifColour> colour;
  struct Crop {
    double width, height, x, y;  // x and y: offset of the crop's centre from the image's centre
  };
  std::optional<Crop> crop;
  std::vector<int> orientations;  // rotations and mirrorings as EXIF orientations; the first one is applied first
};

// Throws Error(input) for anything that is not a still image of AV1 or HEVC. `file` must outlive the result. Copies at
// most as many bytes as the file has.
HeifImage read_heif(std::span<const std::byte> file);

}  // namespace effnet::vision
