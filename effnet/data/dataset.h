// A dataset of labelled images from any source: class folders, tar shards, CIFAR's binary files. It does not change
// after it is opened; every call is thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "effnet/data/image_folder.h"
#include "effnet/vision/image.h"

namespace effnet::data {

// An image as it is stored: the bytes of an image file, or pixels.
using ImageData = std::variant<std::vector<std::byte>, vision::Image>;

// The pixels, oriented as EXIF says. Throws Error(input) if the bytes are not an image that can be decoded.
vision::Image decoded(ImageData stored);

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual std::int64_t label(std::int64_t index) const = 0;  // 0 .. classes().size() - 1
  virtual std::string name(std::int64_t index) const = 0;    // relative to DIR: "train/cat/a.jpg", "shard.tar:key.jpg"
  virtual ImageData read(std::int64_t index) const = 0;      // throws Error; the message does not name the image
  virtual const std::vector<std::string>& classes() const = 0;
  virtual const std::vector<SkippedFile>& skipped() const = 0;  // files that are not used, and why
};

// The images that a command gets: `--data DIR`, and optionally `--labels CSV`.
struct Source {
  std::filesystem::path folder, labels;
  // A path alone is a source without a list of labels.
  Source(std::filesystem::path dir, std::filesystem::path csv = {}) : folder(std::move(dir)), labels(std::move(csv)) {}
};

// Opens a split (train, val or test) of a source. On disk, val may also be named valid or validation. With a list of
// labels, DIR is a folder of images, and the splits are those of the list (read_labelled_folder). Without a list, the
// content of DIR determines the format:
//   DIR/SPLIT/CLASS/*.jpg                     class folders, with their sub-folders
//   DIR/SPLIT/*.tar, DIR/SPLIT-*.tar          uncompressed webdataset shards: KEY.jpg (or another image) and its label
//                                             KEY.cls. All labels are numbers, or all are class names. KEY ends at the
//                                             last dot if there is a label for that key, otherwise at the first dot.
//                                             DIR/classes.txt names the classes
//   DIR/data_batch_*.bin, test_batch.bin      CIFAR-10's binary format, also in DIR/cifar-10-batches-bin. The split
//                                             train is data_batch_*; val and test are both test_batch
// The classes are those of `names`. If `names` is empty, they are the classes of DIR's training split, so that all
// splits have the same classes; if there is no training split, they are the classes of the opened split. Class folders:
// the folder names, sorted. Shards: the lines of classes.txt; without this file the names in the labels, sorted, or, if
// all labels are numbers, 0 up to the largest number.
// Throws Error(input) if the split does not exist, exists under two names, has no images or has only one class; if a
// class folder of train/ has no images; if a class is not one of train/; if a model file cannot store a class name
// (check_class_names); if a label is out of range; if a shard is truncated or not a tar file.
std::unique_ptr<Dataset> open_dataset(const Source& source, std::string_view split, const ClassNames& names = {});
// Opens the split for validation: val if it exists, otherwise test. Returns null if neither exists. `names` are the
// classes of the training split; if `names` is empty, they are read from DIR.
std::unique_ptr<Dataset> open_validation(const Source& source, const ClassNames& names = {});

bool has_split(const Source& source, std::string_view split);

// All images of a source in one dataset: those of train, then val, then test. A bare source has no splits: class
// folders in DIR itself (DIR/CLASS/*.jpg), or a list of labels without a column `split`.
struct AllImages {
  std::shared_ptr<const Dataset> set;
  std::vector<std::optional<Part>> origin;  // by index: the split that the image comes from; empty for a bare source
  bool is_bare() const { return origin.empty() || !origin.front(); }
  std::vector<Part> parts() const;  // `origin`; train for all images of a bare source
};
// The classes are those of `names`; if `names` is empty, those of the training split, or of the first split if there is
// no training split. CIFAR's test_batch is test, not val. Throws Error(input) as open_dataset() does, and also if a
// bare source has fewer than two classes or an empty class folder; if two classes differ only in letter case; if DIR
// has folders with images beside its splits.
AllImages open_all(const Source& source, const ClassNames& names = {});

// Returns the images of `set` with these indices, in this order.
std::unique_ptr<Dataset> select(std::shared_ptr<const Dataset> set, std::vector<std::int64_t> indices);
// Returns the images whose part is one of `wanted`, in the order of `set`; null if there are none. `parts` has the part
// of each image.
std::shared_ptr<const Dataset> with_parts(const std::shared_ptr<const Dataset>& set, const std::vector<Part>& parts,
                                          std::initializer_list<Part> wanted);
// Returns the images of all sets, one set after the other. The sets must have the same classes.
std::unique_ptr<Dataset> joined(std::vector<std::unique_ptr<Dataset>> sets);

// Selects `count` images of `set`, at most half of each class: those whose names have the smallest hashes. If an image
// is added or removed, the rest of the selection hardly changes. Returns the selected images (the paper's minival) if
// `rest` is false, all other images if `rest` is true. Throws Error(usage) if `count` is below 1 or above the number of
// images that can be selected.
std::unique_ptr<Dataset> held_out(std::shared_ptr<const Dataset> set, std::int64_t count, bool rest);

// A synthetic dataset of `size` random images, for measuring speed.
std::unique_ptr<Dataset> synthetic(std::int64_t size, std::int64_t classes, Size resolution, std::uint64_t seed);

}  // namespace effnet::data
