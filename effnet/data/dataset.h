// A dataset of labelled images from any source: class folders, tar shards, CIFAR's binary files. It does not change
// after it is opened; every call is thread-safe.
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

// An image as it is stored: the bytes of an image file, or pixels.
using ImageData = std::variant<std::vector<std::byte>, vision::Image>;

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual std::int64_t label(std::int64_t index) const = 0;  // 0 .. classes().size() - 1
  virtual std::string name(std::int64_t index) const = 0;    // "train/cat/a.jpg" (below DIR), "shard.tar:key.jpg", ...
  virtual ImageData read(std::int64_t index) const = 0;      // throws Error without the image's name
  virtual const std::vector<std::string>& classes() const = 0;
  virtual const std::vector<SkippedFile>& skipped() const = 0;  // files that are not read, and why
};

// Opens a split (train, val or test; val may also be called valid or validation) of `--data DIR`. The format follows
// from the content:
//   DIR/SPLIT/CLASS/*.jpg                     class folders, with their sub-folders
//   DIR/SPLIT/*.tar, DIR/SPLIT-*.tar          uncompressed webdataset shards: KEY.jpg (or another image) and its label
//                                             KEY.cls. All labels are numbers, or all are class names. KEY ends at the
//                                             last dot if there is a label for that key, otherwise at the first dot.
//                                             DIR/classes.txt names the classes
//   DIR/data_batch_*.bin, test_batch.bin      CIFAR-10's binary format, also in DIR/cifar-10-batches-bin. The split
//                                             train is data_batch_*; val and test are both test_batch
// The classes are those of `names`. Without `names` they are those of DIR's training split, so that every split has the
// same ones: the class names in sorted order; for shards with numbers 0 up to the largest number. Without a training
// split they are the split's own.
// Throws Error(input) if there is no such split, no image or a single class; for a class folder of train/ without
// images, a class that train/ does not have, a name that no model file can store (check_class_names), a label out of
// range, a split under two names, and a shard that is truncated or not a tar file.
std::unique_ptr<Dataset> open_dataset(const std::filesystem::path& folder, std::string_view split,
                                      const ClassNames& names = {});
// Opens the split for validation: val if it exists, otherwise test. Null if neither exists. `names`, unless empty, are
// the classes of the training split.
std::unique_ptr<Dataset> open_validation(const std::filesystem::path& folder, const ClassNames& names = {});

bool has_split(const std::filesystem::path& folder, std::string_view split);

// Selects `count` images of `set`, at most half of each class, by a hash of their names. Whether an image is selected
// hardly depends on the other images. With `rest` false returns the selected images (the paper's minival), with `rest`
// true all others. Throws Error(usage) for a count below 1 or above the number that can be selected.
std::unique_ptr<Dataset> held_out(std::shared_ptr<const Dataset> set, std::int64_t count, bool rest);

// A synthetic dataset of `size` random images, for measuring speed.
std::unique_ptr<Dataset> synthetic(std::int64_t size, std::int64_t classes, Size resolution, std::uint64_t seed);

}  // namespace effnet::data
