// Reads from the chunks of a PNG file where the image data ends, and the image's orientation.
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
  // If there are several chunks of a kind, this is the last one, as in Pillow; empty if there is none.
  std::span<const std::byte> exif;  // eXIf
  PngText raw_exif;  // "Raw profile type exif": EXIF in hexadecimal, as ImageMagick and exiftool write it
  PngText xmp;       // "XML:com.adobe.xmp"
};

// Reads the chunks up to the end, or up to the first bytes that are not a chunk. Nothing is copied or decompressed.
PngChunks read_png_chunks(std::span<const std::byte> file);

// Returns the orientation, 1 to 8; 1 if the file has none. As in Pillow, it is read from the eXIf chunk or, without an
// eXIf chunk, from the raw profile; if there is no orientation, from XMP. A text is decompressed only up to 1 MiB.
int png_orientation(const PngChunks& chunks);

}  // namespace effnet::vision
