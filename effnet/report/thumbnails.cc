#include "effnet/report/thumbnails.h"

#include <unordered_map>

#include "effnet/base/error.h"
#include "effnet/vision/encode.h"

namespace effnet::report {
namespace {

constexpr std::int64_t kSidePx = 160;
constexpr int kQuality = 85;  // JPEG

}  // namespace

ReadImage images_by_name(std::shared_ptr<const data::Dataset> set) {
  if (!set) return {};
  // Shared by the copies of the function: ImageNet has 1.3 million names.
  const auto indices = std::make_shared<std::unordered_map<std::string, std::int64_t>>();
  for (std::int64_t i = 0; i < set->size(); ++i) indices->emplace(set->name(i), i);
  return [set = std::move(set), indices](const std::string& name) -> std::optional<vision::Image> {
    const auto found = indices->find(name);
    if (found == indices->end()) return {};
    try {
      return data::decoded(set->read(found->second));
    } catch (const Error& error) {
      throw error.in(name);
    }
  };
}

Jpeg small_jpeg(const vision::Image& image) { return vision::encode_jpeg(vision::thumbnail(image, kSidePx), kQuality); }

Thumbnail thumbnails(ReadImage read) {
  if (!read) return {};
  return [read = std::move(read)](const std::string& name) {
    const std::optional<vision::Image> image = read(name);
    return image ? small_jpeg(*image) : Jpeg();
  };
}

}  // namespace effnet::report
