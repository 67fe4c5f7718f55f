#include "effnet/vision/png_chunks.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "effnet/vision/exif.h"

namespace effnet::vision {
namespace {

constexpr std::size_t kSignature = 8, kHead = 8, kChecksum = 4;
constexpr std::size_t kMaxText = 1 << 20;  // bytes of a decompressed text; Pillow has the same limit

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Returns the text before the first NUL, or the whole text without a NUL. Removes it and the NUL from `text`.
std::string_view take_until_nul(std::string_view& text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

// Stores the text in `chunks` if its key is that of raw_exif or xmp. The fields of a text chunk:
//   tEXt  key, text
//   zTXt  key, compression method, compressed text
//   iTXt  key, compression flag, compression method, language, translated key, text
void read_text(std::string_view kind, std::string_view body, PngChunks& chunks) {
  const std::string_view key = take_until_nul(body);
  PngText* const target = key == "Raw profile type exif" ? &chunks.raw_exif
                          : key == "XML:com.adobe.xmp"   ? &chunks.xmp
                                                         : nullptr;
  if (target == nullptr) return;
  bool compressed = kind == "zTXt";
  const std::size_t head = kind == "iTXt" ? 2 : kind == "zTXt" ? 1 : 0;
  if (body.size() < head || (head > 0 && body[head - 1] != 0)) return;  // 0 is the only defined method
  if (kind == "iTXt") compressed = body[0] != 0;
  body.remove_prefix(head);
  if (kind == "iTXt") {
    take_until_nul(body);
    take_until_nul(body);
  }
  *target = {std::as_bytes(std::span(body)), compressed};
}

// Returns the decompressed text; empty if it is corrupt or too long.
std::string decompressed(const PngText& text) {
  if (!text.compressed) return std::string(as_text(text.bytes));
  std::vector<char> space(kMaxText);
  uLongf size = kMaxText;
  const auto* from = reinterpret_cast<const Bytef*>(text.bytes.data());
  if (uncompress(reinterpret_cast<Bytef*>(space.data()), &size, from, static_cast<uLong>(text.bytes.size())) != Z_OK)
    return {};
  return {space.data(), size};
}

// Skips three lines ("\nexif\n  LENGTH\n") and decodes the pairs of hexadecimal digits that follow. Blanks are ignored.
// Returns an empty vector if there are other characters.
std::vector<std::byte> from_hexadecimal(std::string_view text) {
  for (int i = 0; i < 3; ++i) {
    const std::size_t end = text.find('\n');
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  std::vector<std::byte> bytes;
  int high = -1;
  for (const char c : text) {
    if (kBlanks.find(c) != kBlanks.npos) continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return {};
    if (high >= 0) bytes.push_back(static_cast<std::byte>(16 * high + digit));
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

}  // namespace

PngChunks read_png_chunks(std::span<const std::byte> file) {
  PngChunks chunks;
  for (std::size_t at = kSignature; at <= file.size() && file.size() - at >= kHead;) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | std::to_integer<std::size_t>(file[at + i]);
    const std::string_view kind = as_text(file.subspan(at + 4, 4));
    const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); };
    if (!std::ranges::all_of(kind, letter)) break;
    const auto rest = file.subspan(at + kHead);
    if (length > rest.size()) {
      // Truncated image data is not an error here, because all rows may be complete. The decoder decides.
      if (kind == "IDAT") chunks.end_of_image = file.size();
      chunks.truncated = kind != "IDAT" && chunks.end_of_image > 0;
      break;
    }
    const auto body = rest.first(length);
    at += std::min(kHead + length + kChecksum, file.size() - at);
    if (kind == "IEND") break;
    if (kind == "IDAT") chunks.end_of_image = at;
    if (kind == "eXIf") chunks.exif = body;
    if (kind == "tEXt" || kind == "zTXt" || kind == "iTXt") read_text(kind, as_text(body), chunks);
  }
  return chunks;
}

int png_orientation(const PngChunks& chunks) {
  const std::optional<int> exif = !chunks.exif.empty()
                                      ? stored_orientation(chunks.exif)
                                      : stored_orientation(from_hexadecimal(decompressed(chunks.raw_exif)));
  return exif ? *exif : xmp_orientation(decompressed(chunks.xmp)).value_or(1);
}

}  // namespace effnet::vision
