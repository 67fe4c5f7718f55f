// The chunks of a PNG file beside the image data: where the image data ends, and the image's orientation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace effnet::vision {

// A text of a tEXt, zTXt or iTXt chunk. The bytes are a view of the file.
struct PngText {
  std::span<const std::byte> bytes;
  bool compressed = false;
};

struct PngChunks {
  std::size_t end_of_image = 0;  // the offset after the last IDAT chunk and its checksum
  bool truncated = false;        // the file ends within the body of a chunk after the image data
  // The last chunk of each kind, as in Pillow; empty if there is none.
  std::span<const std::byte> exif;  // eXIf
  PngText raw_exif;  // "Raw profile type exif": EXIF in hexadecimal, as ImageMagick and exiftool write it
  PngText xmp;       // "XML:com.adobe.xmp"
};

// Reads the chunks up to the end, or up to the first bytes that are not a chunk. Nothing is copied or decompressed.
PngChunks read_png_chunks(std::span<const std::byte> file);

// Returns the orientation, 1 to 8; 1 if the file has none. The order is Pillow's: eXIf, otherwise the raw profile; XMP
// if that has no orientation. Decompresses at most 1 MiB.
int png_orientation(const PngChunks& chunks);

}  // namespace effnet::vision
