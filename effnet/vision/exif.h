// The EXIF orientation (TIFF 6.0, tag 274 of the first directory): the only EXIF field that changes how an image looks.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace effnet::vision {

// Reads the orientation, 1 to 8, from a TIFF structure in either byte order, with or without the prefix "Exif\0\0" of
// JPEG files. A corrupt EXIF block does not make the image unreadable: returns nothing if the field is missing or the
// bytes are corrupt, and 1 (upright) if the field has another value.
//
// The rules are Pillow's. A number of any type is accepted if it equals 1 to 8 (integers, signed or not, fractions,
// floats). Text and single bytes (types ASCII, BYTE and UNDEFINED) are not accepted. If the field has several values,
// the first one is used. If there are several fields, the last one is used.
std::optional<int> stored_orientation(std::span<const std::byte> exif) noexcept;
inline int exif_orientation(std::span<const std::byte> exif) noexcept { return stored_orientation(exif).value_or(1); }

// Reads the orientation from XMP text: `tiff:Orientation="6"` or `<tiff:Orientation>6`. Returns nothing if the field is
// missing or is not a number, and 1 (upright) if it is another number.
std::optional<int> xmp_orientation(std::string_view xmp) noexcept;

}  // namespace effnet::vision
