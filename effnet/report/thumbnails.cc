#include "effnet/report/thumbnails.h"

#include <algorithm>
#include <unordered_map>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/encode.h"

namespace effnet::report {
namespace {

constexpr std::int64_t kSidePx = 160;
constexpr int kQuality = 85;  // JPEG

vision::Image decoded(data::ImageData content) {
  return std::holds_alternative<vision::Image>(content) ? std::get<vision::Image>(std::move(content))
                                                        : vision::decode(std::get<std::vector<std::byte>>(content));
}

bool leads_out(const std::filesystem::path& path) {
  return path.empty() || path.is_absolute() || std::ranges::find(path, "..") != path.end();
}

}  // namespace

ReadImage images_by_name(std::vector<std::shared_ptr<const data::Dataset>> sets) {
  std::erase(sets, nullptr);
  if (sets.empty()) return {};
  struct Where {
    const data::Dataset* set;
    std::int64_t index;
  };
  std::unordered_map<std::string, Where> places;
  for (const auto& set : sets) {
    for (std::int64_t i = 0; i < set->size(); ++i) places.emplace(set->name(i), Where{set.get(), i});
  }
  return [sets = std::move(sets), places = std::move(places)](const std::string& name) -> std::optional<vision::Image> {
    const auto found = places.find(name);
    if (found == places.end()) return {};
    try {
      return decoded(found->second.set->read(found->second.index));
    } catch (const Error& error) {
      throw error.in(name);
    }
  };
}

ReadImage images_below(const std::filesystem::path& folder) {
  return [folder](const std::string& name) -> std::optional<vision::Image> {
    std::error_code ignored;
    if (leads_out(name) || !std::filesystem::is_regular_file(folder / name, ignored)) return {};
    return vision::read_image(folder / name);
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
