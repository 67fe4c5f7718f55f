// The kinds of picture files, one table for all who ask: which effnet reads, by what names they are found in folders,
// shards and lists, and what can be said of the others.
#pragma once

#include <filesystem>
#include <string>

namespace effnet::vision {

// By its extension, in any letter case: whether a file counts as a picture where files are searched. What it really
// holds shows only when it is read (decode.h).
bool is_picture_name(const std::filesystem::path& path);

std::string picture_formats();     // "JPEG, PNG, ... or TIFF"
std::string picture_extensions();  // ".jpg, .png, ...", the common one of each format

// What a file is whose name is_picture_name refuses: "a camera raw file; to convert it: ...", where the extension is
// known; else "not a picture by its name".
std::string about_other_name(const std::filesystem::path& path);

}  // namespace effnet::vision
