// Decodes image files to 8-bit RGB. The pixels of JPEG, PNG, WebP, GIF, BMP and TIFF are byte for byte those of Pillow
// 9.4's Image.open(...).convert('RGB') with the same libjpeg-turbo, libwebp and libtiff. Pillow 9.4 does not read AVIF
// and HEIC; their pixels differ from those of Pillow 12 and pillow-heif by at most 3 of 255. The format is detected by
// the file's first bytes, never by its name.
//
// Intended differences from Pillow:
//   16-bit grey  keeps its high byte; Pillow clips it
//   JPEG         corrupt image data is an error; Pillow fills the rest
//   PNG          a wrong checksum up to the end of the image data is an error
//   TIFF         the orientation is applied once; Pillow 9.4 applies it twice
// Alpha is dropped, not blended. Colour profiles and gamma are ignored. Only the first image of an animation or a
// document is read.
//
// Files are untrusted. Before memory for pixels is allocated, the declared number of pixels is checked against two
// limits: `max_pixels`, and kFreePixels + kPixelsPerByte * size of the file in bytes. The second limit follows from the
// largest number of pixels that one byte can encode:
//   JPEG  a block of 64 pixels needs at least one bit in every Huffman-coded scan: at most 512 pixels per byte
//   PNG   deflate expands one byte to at most 1032 bytes: at most 1032 pixels per byte, or more if a pixel has fewer
//         than 8 bits (blank pages)
//   BMP   a pixel needs at least one bit, or a run of 255 pixels needs two bytes
//   The other formats can exceed kPixelsPerByte: an image of one colour needs almost no bytes in WebP, AVIF and HEIC,
//   and less than one byte per kPixelsPerByte pixels in GIF and TIFF. Such images are rejected; photos are far below
//   the limit.
// Memory: 3 bytes per pixel for the result, 3 more to orient it, and the codec's own memory: 2 bytes per sample for a
// progressive JPEG; 4 bytes per pixel for a lossless WebP; at most 4 bytes per pixel, and the largest strip or tile,
// for a TIFF; about 15 bytes per pixel for AVIF and HEIC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "effnet/base/export.h"
#include "effnet/vision/image.h"

namespace effnet::vision {

inline constexpr std::int64_t kMaxPixels = std::int64_t{1} << 28;
inline constexpr std::int64_t kFreePixels = std::int64_t{4} << 20;
inline constexpr std::int64_t kPixelsPerByte = 1100;

struct DecodeOptions {
  bool apply_orientation = true;  // return the upright image, by the file's EXIF orientation
  std::int64_t max_pixels = kMaxPixels;
};

// An image as stored in the file: its EXIF orientation (1 to 8; 1: upright) is not yet applied.
struct StoredImage {
  Image image;
  int orientation = 1;
};
StoredImage decode_stored(std::span<const std::byte> file, const DecodeOptions& options = {});

// decode_stored(), decode() and read_image() throw Error(input) unless the file is a complete image of a known format.
// read_image() names the path in the error.
EFFNET_API Image decode(std::span<const std::byte> file, const DecodeOptions& options = {});
EFFNET_API Image read_image(const std::filesystem::path& path, const DecodeOptions& options = {});

}  // namespace effnet::vision
