#include "effnet/formats/file_kind.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "effnet/base/text.h"
#include "effnet/formats/weights_format.h"

namespace effnet::formats {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kConvert = "convert it to safetensors or .pth with the library that wrote it";
constexpr std::string_view kUnpack = "unpack it first";
constexpr std::string_view kPage = "download the file again; the server returned a page instead of the file";
constexpr std::string_view kImage =
    "a weights file is expected here; predict and cam take the model first, then the image";

// The magic number of a known format. Negative offsets count from the end of the file.
struct MagicNumber {
  std::ptrdiff_t offset;
  std::string_view bytes;
  std::string_view what;
  std::string_view hint;
};
constexpr std::array kMagicNumbers{
    MagicNumber{0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras .h5), which is not supported yet", kConvert},
    MagicNumber{-8, "\x57\xfb\x80\x8b\x24\x75\x47\xdb"sv, "a TensorFlow checkpoint index, which is not supported yet",
                kConvert},
    MagicNumber{4, "TFL3"sv, "a TensorFlow Lite model, which is not supported", kConvert},
    MagicNumber{0, "GGUF"sv, "a GGUF file, which is not supported", kConvert},
    MagicNumber{0, "\x93NUMPY"sv, "a NumPy array, which is not supported", kConvert},
    MagicNumber{0, "\x1f\x8b"sv, "a gzip archive", kUnpack},
    MagicNumber{0, "BZh"sv, "a bzip2 archive", kUnpack},
    MagicNumber{0, "\xfd\x37zXZ\0"sv, "an xz archive", kUnpack},
    MagicNumber{0, "\x28\xb5\x2f\xfd"sv, "a Zstandard archive", kUnpack},
    MagicNumber{0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpack},
    MagicNumber{0, "Rar!\x1a\x07"sv, "a RAR archive", kUnpack},
    MagicNumber{257, "ustar"sv, "a tar archive (or a file of torch 0.1)", kUnpack},
    MagicNumber{0, "\xff\xd8\xff"sv, "a JPEG image", kImage},
    MagicNumber{0, "\x89PNG\r\n"sv, "a PNG image", kImage},
    MagicNumber{8, "WEBP"sv, "a WebP image", kImage},
    MagicNumber{0, "%PDF-"sv, "a PDF document", "give the file with the weights"},
};

// Beginnings of texts, in lower case, after a byte order mark and blanks.
struct TextBeginning {
  std::string_view begin;
  std::string_view what;
  std::string_view hint;
};
constexpr std::array kTextBeginnings{
    TextBeginning{"version https://git-lfs", "a Git LFS pointer, not the file itself",
                  "fetch it with git lfs pull, or download the file itself"},
    TextBeginning{"<!doctype", "a web page", kPage},
    TextBeginning{"<html", "a web page", kPage},
    TextBeginning{"<head", "a web page", kPage},
    TextBeginning{"<body", "a web page", kPage},
    TextBeginning{"<!--", "a web page", kPage},
    TextBeginning{"<?xml", "an XML text, such as a server's error message", kPage},
    TextBeginning{"name = ", "a TOML text, such as an arch file", "an arch file needs the extension .toml: rename it"},
    TextBeginning{"<error", "an XML text, such as a server's error message", kPage},
};

// Formats without a magic number (protobuf, raw data), by a part of the file name.
constexpr std::array kNames{
    std::pair{".onnx"sv, "an ONNX model, which is not supported yet"sv},
    std::pair{".data-00000-of-"sv, "the data file of a TensorFlow checkpoint, which is not supported yet"sv},
    std::pair{".meta"sv, "a TensorFlow graph, which contains no weights"sv},
    std::pair{".pb"sv, "a TensorFlow graph, which is not supported"sv},
};

bool has_magic_number(std::span<const std::byte> bytes, const MagicNumber& entry) {
  const std::size_t distance = static_cast<std::size_t>(entry.offset < 0 ? -entry.offset : entry.offset);
  if (bytes.size() < distance) return false;
  const auto from = bytes.subspan(entry.offset < 0 ? bytes.size() - distance : distance);
  return from.size() >= entry.bytes.size() && std::memcmp(from.data(), entry.bytes.data(), entry.bytes.size()) == 0;
}

// Returns the beginning of a text after a byte order mark and leading blanks; empty if the bytes are not a text.
std::string_view text_begin(std::span<const std::byte> bytes) {
  constexpr std::size_t kLooked = 1024;
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), kLooked));
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);  // 0x7f is a control character; UTF-8 has no byte from 0xf8
    return (byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f || byte >= 0xf8;
  });
  const std::size_t first = text.find_first_not_of(" \n\r\t");
  return plain && first != std::string_view::npos ? text.substr(first) : std::string_view();
}

std::optional<FileKind> text_kind(std::string_view text) {
  constexpr std::size_t kShown = 32;
  const std::string lower = lower_case(text.substr(0, kShown));
  for (const TextBeginning& entry : kTextBeginnings) {
    if (lower.starts_with(entry.begin)) return FileKind{std::string(entry.what), std::string(entry.hint)};
  }
  if (text.starts_with('{') || text.starts_with('[')) {
    const bool index =
        text.find("\"weight_map\"") != std::string_view::npos || text.find("\"total_size\"") != std::string_view::npos;
    if (index)
      return FileKind{"a JSON index of weights in several files",
                      "give one of the weights files; the index lists them"};
    return FileKind{"a JSON text", "give the file with the weights"};
  }
  const std::string_view line = text.substr(0, std::min(text.find_first_of("\r\n"), kShown));
  return FileKind{fmt::format("a text that begins with {}", in_quotes(line)),
                  "download the file again, or give the file with the weights"};
}

bool only_zeros(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

std::optional<FileKind> find_file_kind(std::span<const std::byte> bytes, std::string_view file_name) {
  if (bytes.empty()) return FileKind{"an empty file", kIncompleteHint};
  for (const MagicNumber& entry : kMagicNumbers) {
    if (has_magic_number(bytes, entry)) return FileKind{std::string(entry.what), std::string(entry.hint)};
  }
  for (const auto& [part, what] : kNames) {
    if (file_name.find(part) != std::string_view::npos) return FileKind{std::string(what), std::string(kConvert)};
  }
  if (const std::string_view text = text_begin(bytes); !text.empty()) return text_kind(text);
  if (only_zeros(bytes)) return FileKind{"only zero bytes", kIncompleteHint};
  return std::nullopt;
}

Error not_weights(std::span<const std::byte> bytes, std::string_view file_name) {
  const std::optional<FileKind> kind = find_file_kind(bytes, file_name);
  const Error error = input_error("not a weights file (got {}, expected {})", kind ? kind->what : "unknown content",
                                  readable_formats());
  return kind ? error.with_hint(kind->hint) : error;
}

}  // namespace effnet::formats
