// The decoders behind decode.h, one file each, and what they share. Not for use outside of effnet/vision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "effnet/vision/decode.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

struct Decoded {
  Image image;
  int orientation = 1;  // of EXIF, not yet applied
};

Decoded decode_jpeg(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_png(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_webp(std::span<const std::byte> file, const DecodeOptions& options);

// The bounds of decode.h, for sizes as a file declares them. Throws Error(input).
void check_declared_size(std::string_view format, std::uint64_t h, std::uint64_t w, std::size_t file_bytes,
                         const DecodeOptions& options);

}  // namespace effnet::vision
