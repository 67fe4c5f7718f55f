// The image formats: which files effnet reads, by which extensions it finds images in folders, shards and lists, and
// how files of other formats can be converted. All of this is one table, in formats.cc.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "effnet/vision/image.h"

namespace effnet::vision {

// Returns whether effnet reads the format of this extension (in any letter case). Folder searches use this function.
// The content is checked only when the file is read (decode.h).
bool is_image_name(const std::filesystem::path& path);

std::string image_formats();     // "JPEG, PNG, ... or TIFF"
std::string image_extensions();  // ".jpg, .png, ...": the usual extension of each format that effnet reads

// Describes a file for which is_image_name is false: "a camera raw file by its name; to convert it: ..." if the
// extension is known, otherwise "not an image by its name".
std::string about_other_name(const std::filesystem::path& path);

// Returns the encoder for the extension of this name (.png, .jpg of quality 90, ...), in any letter case. For a name
// without an extension (a device, a pipe) it is the PNG encoder. Throws Error(usage) for another extension.
using Encoder = std::vector<std::byte> (*)(const Image& image);
Encoder image_encoder(const std::filesystem::path& path);
std::string written_extensions();  // ".jpg, .png or .webp": the usual extension of each format that effnet writes

}  // namespace effnet::vision
