// What stands beside the image data of a PNG file: where the data ends, and which way up the image is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace effnet::vision {

// A text that is stored as tEXt, zTXt or iTXt. The bytes are the file's.
struct PngText {
  std::span<const std::byte> bytes;
  bool compressed = false;
};

struct PngChunks {
  std::size_t end_of_image = 0;  // the byte after the last IDAT chunk, its checksum included
  bool cut_off = false;          // the file ends within the body of a chunk after the image data
  // The last of each kind, as Pillow has it; without bytes if there is none.
  std::span<const std::byte> exif;  // eXIf
  PngText raw_exif;  // "Raw profile type exif": EXIF in hexadecimal, as ImageMagick and exiftool write it
  PngText xmp;       // "XML:com.adobe.xmp"
};

// Goes over the chunks until the end or to the first bytes that are none. Nothing is copied or unpacked.
PngChunks walk_png(std::span<const std::byte> file);

// 1 to 8; 1 if the file says nothing. As Pillow chooses: eXIf, else the raw profile; XMP if that has no orientation.
// Unpacks at most 1 MiB.
int png_orientation(const PngChunks& chunks);

}  // namespace effnet::vision
