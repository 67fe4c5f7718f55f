// Images without labels: a list of files, or all images in a folder.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "effnet/data/dataset.h"
#include "effnet/data/image_folder.h"

namespace effnet::data {

// Lists the images in the folder and its sub-folders, sorted within each folder. All have the class 0. Throws
// Error(input) if the folder cannot be read or has no images.
ImageSet find_images(const std::filesystem::path& folder);

// The files as a dataset with one class. Names are the paths as given. The files are opened only when they are read.
std::unique_ptr<Dataset> image_list(std::vector<std::filesystem::path> files);

}  // namespace effnet::data
