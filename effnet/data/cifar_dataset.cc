// CIFAR-10's binary format: records of a label and 32x32 pixels, channel by channel (cs.toronto.edu/~kriz/cifar.html).
#include <algorithm>
#include <array>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/interrupt.h"
#include "effnet/data/sources.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kSide = 32;
constexpr std::int64_t kPixels = kSide * kSide;
constexpr std::int64_t kRecord = 1 + 3 * kPixels;
constexpr std::array<const char*, 10> kClasses{"airplane", "automobile", "bird",  "cat",  "deer",
                                               "dog",      "frog",       "horse", "ship", "truck"};

class CifarDataset final : public Dataset {
 public:
  CifarDataset(const fs::path& root, const std::vector<fs::path>& files) : classes_(kClasses.begin(), kClasses.end()) {
    const std::string prefix = files.front().filename().string().substr(0, std::string_view("data_batch").size());
    for (fs::path& path : files_in(files.front().parent_path(), [&](const std::string& name) {
           return name.starts_with(prefix) && !name.ends_with(".bin");
         }))
      skipped_.push_back({std::move(path), "not a file of CIFAR-10's binary format by its name"});
    for (const fs::path& path : files) {
      check_interrupt();
      File file{relative_name(root, path), std::make_unique<MappedFile>(path), size_};
      const auto bytes = static_cast<std::int64_t>(file.map->bytes().size());
      if (bytes == 0 || bytes % kRecord != 0) {
        throw input_error("{}: not a file of CIFAR-10 records (got {} bytes, expected a multiple of {})", path.string(),
                          bytes, kRecord);
      }
      const std::int64_t records = bytes / kRecord;
      for (std::int64_t i = 0; i < records; ++i) {
        const int value = std::to_integer<int>(file.map->bytes()[static_cast<std::size_t>(i * kRecord)]);
        if (value >= static_cast<int>(kClasses.size())) {
          throw input_error("{}: label out of range in record {} (got {}, expected 0 to {})", path.string(), i, value,
                            kClasses.size() - 1);
        }
      }
      size_ += records;
      files_.push_back(std::move(file));
    }
  }

  std::int64_t size() const override { return size_; }
  std::int64_t label(std::int64_t index) const override { return std::to_integer<std::int64_t>(record(index)[0]); }
  std::string name(std::int64_t index) const override {
    const File& file = file_of(index);
    return fmt::format("{}:{}", file.name, index - file.first);
  }
  ImageData read(std::int64_t index) const override {
    const std::span<const std::byte> bytes = record(index);
    vision::Image image{kSide, kSide, std::vector<std::uint8_t>(3 * kPixels)};
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t i = 0; i < kPixels; ++i)
        image.rgb[3 * i + c] = std::to_integer<std::uint8_t>(bytes[1 + c * kPixels + i]);
    }
    return image;
  }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  struct File {
    std::string name;
    std::unique_ptr<MappedFile> map;
    std::int64_t first = 0;  // index in the dataset of the file's first record
  };
  const File& file_of(std::int64_t index) const {
    EFFNET_CHECK(index >= 0 && index < size_);
    return *std::prev(std::upper_bound(files_.begin(), files_.end(), index,
                                       [](std::int64_t value, const File& file) { return value < file.first; }));
  }
  std::span<const std::byte> record(std::int64_t index) const {
    const File& file = file_of(index);
    return file.map->bytes().subspan(static_cast<std::size_t>((index - file.first) * kRecord), kRecord);
  }

  std::vector<std::string> classes_;
  std::vector<File> files_;
  std::vector<SkippedFile> skipped_;
  std::int64_t size_ = 0;
};

}  // namespace

std::unique_ptr<Dataset> open_cifar(const fs::path& root, const std::vector<fs::path>& files, const ClassNames& names) {
  if (names.classes != 0 && names.classes != static_cast<std::int64_t>(kClasses.size())) {
    throw input_error("{}: wrong number of classes (got the {} classes of CIFAR-10, expected {})", root.string(),
                      kClasses.size(), names.classes);
  }
  // Other names for the same classes are accepted ("plane", "0"), but not CIFAR's names in another order.
  for (std::int64_t i = 0; i < names.classes; ++i) {
    const std::string name = names.name(i);
    const auto own = std::ranges::find(kClasses, name) - std::begin(kClasses);
    if (own < std::ssize(kClasses) && own != i) {
      throw input_error("{}: the classes have another order than in CIFAR-10 (got {} as class {}, expected class {})",
                        root.string(), in_quotes(name), i, own)
          .with_hint("move CIFAR's .bin files into a folder of their own");
    }
  }
  return std::make_unique<CifarDataset>(root, files);
}

}  // namespace effnet::data
