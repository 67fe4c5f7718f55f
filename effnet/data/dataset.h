// A labelled set of images, wherever it lies: class folders, tar shards, CIFAR's binary files. Immutable once opened;
// every call is safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "effnet/data/image_folder.h"
#include "effnet/vision/image.h"

namespace effnet::data {

// An image as it lies in the set: the bytes of an image file, or pixels.
using ImageData = std::variant<std::vector<std::byte>, vision::Image>;

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual std::int64_t label(std::int64_t index) const = 0;  // 0 .. classes().size() - 1
  virtual std::string name(std::int64_t index) const = 0;    // a path below the set's folder, "shard.tar:key.jpg", ...
  virtual ImageData read(std::int64_t index) const = 0;      // throws Error, which does not name the image
  virtual const std::vector<std::string>& classes() const = 0;
  virtual const std::vector<SkippedFile>& skipped() const = 0;  // what lies there and is not read, and why
};

// One of the splits (train, val or valid or validation, test) of `--data DIR`. What lies there is told by its content:
//   DIR/SPLIT/CLASS/*.jpg                     class folders, sub-folders of them included
//   DIR/SPLIT/*.tar, DIR/SPLIT-*.tar          uncompressed webdataset shards: KEY.jpg (or another image) beside
//   KEY.cls (all
//                                             of them numbers, or all class names); KEY ends at the first dot or, if
//                                             that label is there, at the last; DIR/classes.txt names the classes
//   DIR/data_batch_*.bin, test_batch.bin      CIFAR-10's binary form, also in DIR/cifar-10-batches-bin (train; val and
//                                             test are both test_batch)
// Classes are those of `names`; without them those of DIR's training split in sorted order (of shards with numbers 0 up
// to the largest), so that every split has the same ones; without a training split the split's own.
// Throws Error(input) if there is no such split, no image or a single class, for a class folder of train/ without
// images, a class that train/ has not, a name that no model file can hold (check_class_names), a label out of range,
// a split under two names, and a shard that is cut or no tar file.
std::unique_ptr<Dataset> open_dataset(const std::filesystem::path& folder, std::string_view split,
                                      const ClassNames& names = {});
// The split to validate on: val if it is there, else test. Null if there is neither. `names`, if it has classes, are
// the labels of the training split.
std::unique_ptr<Dataset> open_validation(const std::filesystem::path& folder, const ClassNames& names = {});

bool has_split(const std::filesystem::path& folder, std::string_view split);

// `count` images of `set` (at most half of each class) held out by a hash of their names, the same whatever else lies
// in the set: the paper's minival. `rest` false: those; true: all others. Throws Error(usage) for a count below 1 or
// above what may be taken.
std::unique_ptr<Dataset> held_out(std::shared_ptr<const Dataset> set, std::int64_t count, bool rest);

// A set that is not there: `size` seeded images of noise, for measuring speed.
std::unique_ptr<Dataset> synthetic(std::int64_t size, std::int64_t classes, Size resolution, std::uint64_t seed);

}  // namespace effnet::data
