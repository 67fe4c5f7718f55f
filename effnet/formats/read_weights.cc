#include "effnet/formats/read_weights.h"

#include <algorithm>
#include <memory>

#include "effnet/base/error.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/safetensors.h"
#include "effnet/formats/what_is.h"

namespace effnet::formats {
std::string_view weights_format(std::span<const std::byte> bytes) noexcept {
  // safetensors first: a header of 640 bytes begins 80 02, like a pickle. Its length leaves bytes 4 to 7 zero, where a
  // torch pickle has its magic; a ZIP's byte 8 is the compression method, which is never 123.
  if (bytes.size() > 8 && bytes[8] == std::byte{'{'} &&
      std::all_of(bytes.begin() + 4, bytes.begin() + 8, [](std::byte byte) { return byte == std::byte{0}; })) {
    return "safetensors";
  }
  if (looks_like_zip(bytes)) return "pth";
  if (looks_like_pickle(bytes)) return "pth-legacy";
  return {};
}

WeightsFile open_weights(const std::filesystem::path& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const auto bytes = file->bytes();
  const std::string_view format = weights_format(bytes);
  const std::string file_name = path.filename().string();
  try {
    // By its name it claims to be one, so it is told what is wrong with it as such, unless it is known to be another.
    const bool claims = path.extension() == ".safetensors" && !what_is(bytes, file_name);
    if (format.empty() && !claims) throw not_weights(bytes, file_name);
    if (format.starts_with("pth")) return {path, parse_pth(bytes, file), format, file};
    return {path, parse_safetensors(bytes, file), "safetensors", file};
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

Weights read_weights(const std::filesystem::path& path) { return open_weights(path).weights; }

}  // namespace effnet::formats
