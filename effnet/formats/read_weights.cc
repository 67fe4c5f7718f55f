#include "effnet/formats/read_weights.h"

#include <algorithm>
#include <array>
#include <memory>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/formats/file_kind.h"
#include "effnet/formats/weights_format.h"

namespace effnet::formats {

// Each is defined beside its reader.
extern const WeightsFormat kSafetensorsFormat, kPthFormat, kLegacyPthFormat;

namespace {

// The first match is used. safetensors comes before pickles, because a safetensors file with a header of 640 bytes
// begins with the bytes 80 02, as a pickle does.
constexpr std::array kFormats{&kSafetensorsFormat, &kPthFormat, &kLegacyPthFormat};

// Returns the format of the content. If the content is not recognised at all, returns the format of the extension, or
// null.
const WeightsFormat* find_format(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  const auto by_content = std::ranges::find_if(kFormats, [&](const WeightsFormat* one) { return one->matches(bytes); });
  if (by_content != kFormats.end()) return *by_content;
  const std::string extension = extension_of(path);
  if (extension.empty() || find_file_kind(bytes, path.filename().string())) return nullptr;
  const auto by_name = std::ranges::find(kFormats, extension, &WeightsFormat::extension);
  return by_name != kFormats.end() ? *by_name : nullptr;
}

}  // namespace

std::string readable_formats() {
  std::vector<std::string> titles;
  for (const WeightsFormat* one : kFormats)
    if (titles.empty() || titles.back() != one->title) titles.emplace_back(one->title);
  return one_of(titles);
}

WeightsFile open_weights(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const auto bytes = file->bytes();
  try {
    const WeightsFormat* format = find_format(bytes, path);
    if (format == nullptr) throw not_weights(bytes, path.filename().string());
    return {path, format->parse(bytes, file), format->name, file};
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

tensor::Weights read_weights(const std::filesystem::path& path) { return open_weights(path).weights; }

}  // namespace effnet::formats
