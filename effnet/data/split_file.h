// The split of a dataset as a CSV file: lines `file,class_name,split`, with a header. `file` is Dataset::name(). The
// file can be given to a command as --labels, if the images are files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "effnet/data/dataset.h"

namespace effnet::data {

// Writes the file atomically. `parts` has the part of each image.
void write_split_file(const std::filesystem::path& path, const Dataset& set, const std::vector<Part>& parts);

// Returns the part of each image of `set`. Images that only the file has are ignored, and so are the classes in the
// file. For an image that only `set` has, calls `part_of_new(index)`; without this function it throws Error(input) that
// names the image. Throws Error(input) with the line number if the file is not a split file or has an image twice.
std::vector<Part> read_split_file(const std::filesystem::path& path, const Dataset& set,
                                  const std::function<Part(std::int64_t index)>& part_of_new = {});

}  // namespace effnet::data
