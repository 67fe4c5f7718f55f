// The image formats: one table that says which files effnet reads, which extensions they have in folders, shards and
// lists, and how files of other formats can be converted.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "effnet/vision/image.h"

namespace effnet::vision {

// Whether the extension, in any letter case, is that of a format that effnet reads. Searches in folders use it. The
// content is checked only when the file is read (decode.h).
bool is_image_name(const std::filesystem::path& path);

std::string image_formats();     // "JPEG, PNG, ... or TIFF"
std::string image_extensions();  // ".jpg, .png, ...", the usual extension of each format

// Describes a file for which is_image_name is false: "a camera raw file by its name; to convert it: ..." if the
// extension is known, otherwise "not an image by its name".
std::string about_other_name(const std::filesystem::path& path);

// Returns the encoder for a file of this name: .png, .jpg (quality 90) and so on, in any letter case. Without an
// extension (a device, a pipe) it is PNG. Throws Error(usage) for another extension.
using Encoder = std::vector<std::byte> (*)(const Image& image);
Encoder image_encoder(const std::filesystem::path& path);
std::string written_extensions();  // ".jpg, .png or .webp"

}  // namespace effnet::vision
