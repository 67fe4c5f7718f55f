// The one EXIF field that changes how an image looks: the orientation (TIFF 6.0 tag 274 of the first directory).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace effnet::vision {

// The orientation, 1 to 8, out of a TIFF structure in either byte order, with or without the leading "Exif\0\0" that
// JPEG files carry. A damaged EXIF block must not cost the image: none if the field is missing or the bytes are
// broken, 1 (upright) if it has another value.
//
// As Pillow takes it: a number of any type counts if it equals 1 to 8 (whole numbers, signed or not, fractions,
// floats), text and single bytes (types ASCII, BYTE and UNDEFINED) never do; of several values the first counts, of
// several fields the last.
std::optional<int> stored_orientation(std::span<const std::byte> exif) noexcept;
inline int exif_orientation(std::span<const std::byte> exif) noexcept { return stored_orientation(exif).value_or(1); }

// The same out of XMP text: `tiff:Orientation="6"` or `<tiff:Orientation>6`.
std::optional<int> xmp_orientation(std::string_view xmp) noexcept;

}  // namespace effnet::vision
