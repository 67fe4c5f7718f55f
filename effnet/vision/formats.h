// The kinds of image files, one table for all who ask: which effnet reads, by what names they are found in folders,
// shards and lists, and what can be said of the others.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "effnet/vision/image.h"

namespace effnet::vision {

// By its extension, in any letter case: whether a file counts as an image where files are searched. What it really
// holds shows only when it is read (decode.h).
bool is_image_name(const std::filesystem::path& path);

std::string image_formats();     // "JPEG, PNG, ... or TIFF"
std::string image_extensions();  // ".jpg, .png, ...", the common one of each format

// What a file is whose name is_image_name refuses: "a camera raw file; to convert it: ...", where the extension is
// known; else "not an image by its name".
std::string about_other_name(const std::filesystem::path& path);

// How an image is written to a file of this name: .png, .jpg (quality 90) and so on, in any letter case; PNG if it has
// no extension (a device, a pipe). Throws Error(usage) for another one.
using Encoder = std::vector<std::byte> (*)(const Image& image);
Encoder image_encoder(const std::filesystem::path& path);
std::string written_extensions();  // ".jpg, .png or .webp"

}  // namespace effnet::vision
