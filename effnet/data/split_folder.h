// Writes a split to disk as folders: OUT/{train,val,test}/CLASS/FILE.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "effnet/data/content.h"

namespace effnet::data {

struct SplitFolder {
  std::int64_t linked = 0, copied = 0;  // number of images
  std::vector<std::int64_t> left_out;   // indices of the images that cannot be decoded
};

// Throws what write_split_folder() throws for this source and destination before it has written anything: Error(input)
// if the images of the source are not files or already have splits, or if a class's name cannot be a folder's name;
// Error(usage) if `out` exists and is not an empty folder, or is inside the source's folder.
void check_split_folder(const Source& source, const AllImages& images, const std::filesystem::path& out);

// Each image becomes a hard link to the source's file, or a copy where the file system allows no link. The names of
// sub-folders of a class are kept. `out`/split.csv lists the parts (split_file.h). Images that cannot be decoded are
// left out. The folder is written under another name in the same parent folder and renamed at the end: after an error
// or an interrupt nothing is left. Throws Error(environment) if the folder cannot be written.
SplitFolder write_split_folder(const Source& source, const AllImages& images, const std::vector<ImageContent>& contents,
                               const std::vector<Part>& parts, const std::filesystem::path& out,
                               const ImagesDone& images_done = {});

}  // namespace effnet::data
