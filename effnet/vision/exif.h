// The one EXIF field that changes how a picture looks: the orientation (TIFF 6.0 tag 274 of the first directory).
#pragma once

#include <cstddef>
#include <span>

namespace effnet::vision {

// The orientation, 1 to 8, out of a TIFF structure in either byte order, with or without the leading "Exif\0\0" that
// JPEG files carry. 1 (upright) if the field is missing, has another value, or the bytes are broken: a damaged EXIF
// block must not cost the picture. If the field comes twice the last one counts, as in Pillow.
int exif_orientation(std::span<const std::byte> exif) noexcept;

}  // namespace effnet::vision
