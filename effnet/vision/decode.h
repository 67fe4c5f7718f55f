// Image files as 8-bit RGB. JPEG, PNG, WebP, GIF, BMP and TIFF byte for byte as Pillow 9.4's
// Image.open(...).convert('RGB') gives them (with the same libjpeg-turbo, libwebp and libtiff); AVIF and HEIC, which it
// does not read, as Pillow 12 and pillow-heif do, to 3 of 255. The format is told by the file's first bytes, never by
// its name.
//
// Where effnet differs from Pillow on purpose: 16-bit grey keeps its high byte (Pillow clips it); a JPEG with damaged
// image data is an error (Pillow fills it up), as is a PNG with a wrong checksum in what comes before the end of the
// image data; a TIFF is turned once (Pillow 9.4 turns it twice). Alpha is dropped, not blended; colour profiles and
// gamma are ignored; of an animation or a document the first image is read.
//
// Files are hostile. Before anything is allocated the declared pixels must be at most `max_pixels`, and at most
// kFreePixels + kPixelsPerByte for each byte of the file:
//   JPEG  a block of 64 pixels costs a bit or more in every Huffman-coded scan, so at most 512 pixels a byte
//   PNG   deflate gives at most 1032 bytes for one, so 1032 pixels a byte (more below 8 bits a pixel: blank pages)
//   BMP   at least a bit a pixel, or two bytes for a run of 255
//   The others have no bound (an image of one colour costs WebP, AVIF and HEIC nothing a pixel; GIF and TIFF pack it
//   more densely); photographs are far below
// Memory is at most 3 bytes a pixel for the result, 3 more to turn it, and the codec's own: 2 bytes a sample for a
// progressive JPEG, 4 a pixel for a lossless WebP, for a TIFF at most 4 a pixel and its largest strip or tile,
// about 15 a pixel for AVIF and HEIC.
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
  bool exif_turn = true;  // turn the image upright as its EXIF orientation says
  std::int64_t max_pixels = kMaxPixels;
};

// An image as it lies in the file, with the turn that its EXIF orientation asks for (1 to 8, 1: none) not yet applied.
struct StoredImage {
  Image image;
  int orientation = 1;
};
StoredImage decode_stored(std::span<const std::byte> file, const DecodeOptions& options = {});

// All throw Error(input) for anything that is not a whole image of a known format; read_image names the path.
EFFNET_API Image decode(std::span<const std::byte> file, const DecodeOptions& options = {});
EFFNET_API Image read_image(const std::filesystem::path& path, const DecodeOptions& options = {});

}  // namespace effnet::vision
