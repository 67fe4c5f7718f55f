// The container of AVIF and HEIC files (ISO/IEC 23008-12), as far as one still image needs it: which coded images
// the primary item is made of, and what is done to them. Nothing is decoded and no pixel allocated.
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
  std::vector<std::byte> data;        // its bitstream, in one piece
};

struct HeifColour {  // code points of ISO/IEC 23091-2
  int matrix = 2;    // 2: not said
  bool full_range = true;
};

struct HeifImage {
  Size size;  // before crop and turns
  std::int64_t rows = 1, columns = 1;
  std::vector<HeifCoded> tiles;  // of equal size, row by row; the last ones may reach beyond `size`
  std::optional<HeifColour> colour;
  struct Crop {
    double width, height, x, y;  // x and y: of its centre from the image's
  };
  std::optional<Crop> crop;
  std::vector<int> turns;  // EXIF orientations, one after the other
};

// Throws Error(input) for anything that is not a still image of AV1 or HEVC. `file` must outlive the result. Copies
// no more than the file holds.
HeifImage read_heif(std::span<const std::byte> file);

}  // namespace effnet::vision
