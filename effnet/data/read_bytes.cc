#include <charconv>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/data/sources.h"
#include "effnet/vision/decode.h"

namespace effnet::data {
// Opens the file for each read. Opening takes 10 us, which is little beside the milliseconds of decoding, and no file
// descriptors stay open, even for a thousand shards.
std::vector<std::byte> read_bytes(const std::filesystem::path& path, std::int64_t offset, std::int64_t size) {
  const OpenFile file(path);
  if (!file.is_regular()) throw input_error("not a regular file");
  const std::int64_t length = file.size();
  if (offset < 0 || offset > length || size > length - offset)
    throw input_error("the file is too short (got {} bytes, expected {} bytes at offset {})", length, size, offset);
  if (size < 0) size = length - offset;
  if (size > kMaxImageBytes)
    throw input_error("the file is too large for an image (got {} bytes, expected at most {})", size, kMaxImageBytes);
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::size_t got = file.read_at(std::span(bytes).subspan(done), offset + static_cast<std::int64_t>(done));
    if (got == 0) throw input_error("the file ended early (got {} bytes, expected {})", done, bytes.size());
    done += got;
  }
  return bytes;
}

std::string relative_name(const std::filesystem::path& root, const std::filesystem::path& path) {
  const std::string relative = path.lexically_relative(root).generic_string();
  return relative.empty() ? std::filesystem::absolute(path).generic_string() : relative;
}

std::optional<std::int64_t> class_number(std::string_view text) {
  if (text.empty() || text.size() > 9) return {};
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < 0) return {};
  return value;
}

vision::Image decoded(ImageData stored) {
  if (auto* pixels = std::get_if<vision::Image>(&stored)) return std::move(*pixels);
  return vision::decode(std::get<std::vector<std::byte>>(stored));
}

}  // namespace effnet::data
