// Checks a dataset before hours of training are spent on it: corrupt images, duplicates and near-duplicates, images
// with an EXIF orientation, small or missing classes. Every image is read and decoded.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "effnet/base/thread_pool.h"
#include "effnet/data/content.h"
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

  std::vector<std::string> splits;  // those of train, val and test that exist; "." for a bare source
  std::int64_t images = 0;          // corrupt images included
  std::vector<Class> classes;       // of all splits
  std::vector<CorruptImage> broken;
  std::vector<Duplicates> duplicates;       // sorted by their first name
  std::vector<Duplicates> near_duplicates;  // see near_duplicates(); groups of only duplicates are left out
  std::vector<Turned> turned;
  std::vector<SkippedFile> skipped;                          // files without an image extension, ...
  std::vector<std::pair<std::string, std::string>> missing;  // a class, and a split without an image of it
  std::vector<std::string> notes;                            // classes below 10 images, imbalance: one sentence each
};

// Throws Error(input) if the source cannot be opened (see open_all).
DataReport check_data(const Source& source, ThreadPool& pool, const ImagesDone& images_done);

// The report on images whose contents are already read.
DataReport report_data(const AllImages& images, const std::vector<ImageContent>& contents);

struct ClassSize {
  std::string name;
  std::int64_t images = 0;
};
// One sentence each: classes of fewer than 10 images, and a class with more than 10 times the images of another one.
std::vector<std::string> notes_on_classes(std::vector<ClassSize> classes);

// Throws the Error(input) that training on this source would throw: a split with one class, an empty class folder,
// images in val/ (or test/, if there is no val/) of a class that train/ does not have. Decodes no image. A bare source
// has already been checked by open_all().
void check_trainable(const Source& source);

}  // namespace effnet::data
