#include "effnet/report/thumbnails.h"

#include <unordered_map>

#include "effnet/base/error.h"
#include "effnet/vision/decode.h"
#include "effnet/vision/encode.h"

namespace effnet::report {
namespace {

constexpr std::int64_t kSidePx = 128;  // the page enlarges the thumbnails to about 165 pixels
constexpr int kQuality = 85;           // JPEG; 3 to 6 KB per photograph

}  // namespace

Thumbnail thumbnails(std::shared_ptr<const data::Dataset> set) {
  if (!set) return {};
  std::unordered_map<std::string, std::int64_t> indices;
  for (std::int64_t i = 0; i < set->size(); ++i) indices.emplace(set->name(i), i);
  return [set = std::move(set), indices = std::move(indices)](const std::string& name) -> std::vector<std::byte> {
    const auto found = indices.find(name);
    if (found == indices.end()) return {};
    try {
      data::ImageData content = set->read(found->second);
      const vision::Image image = std::holds_alternative<vision::Image>(content)
                                      ? std::get<vision::Image>(std::move(content))
                                      : vision::decode(std::get<std::vector<std::byte>>(content));
      return vision::encode_jpeg(vision::thumbnail(image, kSidePx), kQuality);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw error.in(name);
      return {};
    }
  };
}

}  // namespace effnet::report
