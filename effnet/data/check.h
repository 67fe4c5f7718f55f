// What is wrong with a labelled set, before hours are spent on it: broken images, the same image twice, turned
// ones, classes that are small or missing. Every image is read and decoded.
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
    std::vector<std::int64_t> images;  // by split
    std::int64_t total() const;
  };
  struct Duplicates {                // images with the same pixels, whatever their encoding
    std::vector<std::string> names;  // sorted
    bool across_splits = false;      // a leak: what is validated on was trained on
    bool across_classes = false;     // at least one of the labels is wrong
  };
  struct Turned {
    std::string name;
    int orientation = 1;  // of EXIF, 2 to 8; effnet follows it, other programs may not
  };

  std::vector<std::string> splits;  // train, val, test: those that are there; "." for class folders in DIR itself
  std::int64_t images = 0;          // broken ones included
  std::vector<Class> classes;       // of all splits
  std::vector<CorruptImage> broken;
  std::vector<Duplicates> duplicates;  // sorted by their first name
  std::vector<Turned> turned;
  std::vector<SkippedFile> skipped;                          // files that are no images by their name
  std::vector<std::pair<std::string, std::string>> missing;  // class and split without an image of it
};

// `images_done(done, total)` is called from any thread, by one at a time; an exception of it ends the check. Throws
// Error(input) where DIR cannot be opened as a set at all (see open_dataset).
DataReport check_data(const std::filesystem::path& folder, ThreadPool& pool,
                      const std::function<void(std::int64_t, std::int64_t)>& images_done);

// Throws what training on `folder` would begin with: Error(input) for images of val/ or test/ whose class is none of
// train/. Nothing is decoded.
void check_classes_of_splits(const std::filesystem::path& folder);

}  // namespace effnet::data
