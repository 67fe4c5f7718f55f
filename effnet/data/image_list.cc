#include "effnet/data/image_list.h"

#include "effnet/base/error.h"
#include "effnet/data/sources.h"
#include "effnet/vision/formats.h"

namespace effnet::data {
namespace {

namespace fs = std::filesystem;

class ImageList final : public Dataset {
 public:
  explicit ImageList(std::vector<fs::path> files) : files_(std::move(files)) {}

  std::int64_t size() const override { return std::ssize(files_); }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::string name(std::int64_t index) const override { return file(index).string(); }
  ImageData read(std::int64_t index) const override { return read_bytes(file(index)); }
  const std::vector<std::string>& classes() const override { return classes_; }
  const std::vector<SkippedFile>& skipped() const override { return skipped_; }

 private:
  const fs::path& file(std::int64_t index) const { return files_.at(static_cast<std::size_t>(index)); }

  std::vector<fs::path> files_;
  std::vector<std::string> classes_{"image"};
  std::vector<SkippedFile> skipped_;
};

}  // namespace

ImageSet find_images(const fs::path& folder) {
  std::error_code code;
  const fs::path canonical = fs::canonical(folder, code);
  if (code) throw input_error("{}: not a folder with images (got {})", folder.string(), code.message());
  ImageSet set;
  ImageWalk(canonical.parent_path()).add_class(folder, 0, set);
  if (set.images.empty())
    throw input_error("{}: no images (got {} other files, expected {} files)", folder.string(), set.skipped.size(),
                      vision::image_extensions());
  return set;
}

std::unique_ptr<Dataset> image_list(std::vector<fs::path> files) {
  return std::make_unique<ImageList>(std::move(files));
}

}  // namespace effnet::data
