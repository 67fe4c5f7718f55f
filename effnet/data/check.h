// Checks a dataset before hours of training are spent on it: corrupt images, duplicates, images with an EXIF
// orientation, small or missing classes. Every image is read and decoded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/data/loader.h"

namespace effnet::data {

struct DataReport {
  struct Class {
    std::string name;
    std::vector<std::int64_t> images;  // number of images in each split
    std::int64_t total() const;
  };
  struct Duplicates {                // images with the same pixels, in any encoding
    std::vector<std::string> names;  // sorted
    bool across_splits = false;      // a leak: a validation image is also a training image
    bool across_classes = false;     // at least one of the labels is wrong
  };
  struct Turned {
    std::string name;
    int orientation = 1;  // EXIF's number, 2 to 8; effnet applies it, other programs may not
  };

  std::vector<std::string> splits;  // those of train, val and test that exist; "." for class folders in DIR itself
  std::int64_t images = 0;          // corrupt images included
  std::vector<Class> classes;       // of all splits
  std::vector<CorruptImage> broken;
  std::vector<Duplicates> duplicates;  // sorted by their first name
  std::vector<Turned> turned;
  std::vector<SkippedFile> skipped;                          // files without an image extension, ...
  std::vector<std::pair<std::string, std::string>> missing;  // a class, and a split without an image of it
};

// `images_done(done, total)` is called from any thread, but never by two threads at once. If it throws, the check ends
// with that exception. Throws Error(input) if DIR cannot be opened as a dataset (see open_dataset).
DataReport check_data(const std::filesystem::path& folder, ThreadPool& pool,
                      const std::function<void(std::int64_t, std::int64_t)>& images_done);

// Throws the Error(input) that training on `folder` would throw if val/ (or test/, if there is no val/) has images of a
// class that train/ does not have. Decodes no image.
void check_classes_of_splits(const std::filesystem::path& folder);

}  // namespace effnet::data
