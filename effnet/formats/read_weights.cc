#include "effnet/formats/read_weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/formats/pth.h"
#include "effnet/formats/safetensors.h"

namespace effnet::formats {
namespace {

using namespace std::string_view_literals;

// Where a known format shows itself. Offsets below zero count from the end.
struct Mark {
  std::ptrdiff_t offset;
  std::string_view bytes;
  std::string_view what;
  std::string_view hint;
};
constexpr std::string_view kNotYet = "convert it to safetensors or .pth with the library that wrote it";
constexpr std::string_view kPage = "download the file again; the address gave a web page";
constexpr std::array kMarks{
    Mark{0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras .h5), which is not read yet", kNotYet},
    Mark{-8, "\x57\xfb\x80\x8b\x24\x75\x47\xdb"sv, "a TensorFlow checkpoint index, which is not read yet", kNotYet},
    Mark{4, "TFL3"sv, "a TensorFlow Lite model, which is not read", kNotYet},
    Mark{0, "\x93NUMPY"sv, "a NumPy array, which is not read", kNotYet},
    Mark{0, "\x1f\x8b"sv, "a gzip archive", "unpack it first"},
    Mark{0, "BZh"sv, "a bzip2 archive", "unpack it first"},
    Mark{0, "\xfd\x37zXZ\0"sv, "an xz archive", "unpack it first"},
    Mark{257, "ustar"sv, "a tar archive (or a file of torch 0.1)", "unpack it first"},
    Mark{0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself", "fetch it with git lfs pull"},
    Mark{0, "<!"sv, "a web page", kPage},
    Mark{0, "<html"sv, "a web page", kPage},
    Mark{0, "<HTML"sv, "a web page", kPage},
};
// Formats without a mark of their own: protobuf and raw data.
constexpr std::array kNames{
    std::pair{".onnx"sv, "an ONNX model, which is not read yet"sv},
    std::pair{".data-00000-of-"sv, "a TensorFlow checkpoint's data, which is not read yet"sv},
    std::pair{".meta"sv, "a TensorFlow graph, which holds no weights"sv},
    std::pair{".pb"sv, "a TensorFlow graph, which is not read"sv},
};

bool has_mark(std::span<const std::byte> bytes, const Mark& mark) {
  const std::size_t distance = static_cast<std::size_t>(mark.offset < 0 ? -mark.offset : mark.offset);
  if (bytes.size() < distance) return false;
  const auto from = bytes.subspan(mark.offset < 0 ? bytes.size() - distance : distance);
  return from.size() >= mark.bytes.size() && std::memcmp(from.data(), mark.bytes.data(), mark.bytes.size()) == 0;
}

Error unknown(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  constexpr std::string_view kExpected = "expected safetensors or a .pth of torch.save";
  if (bytes.empty()) return input_error("{}: not a weights file (got an empty file, {})", path.string(), kExpected);
  for (const Mark& mark : kMarks) {
    if (!has_mark(bytes, mark)) continue;
    return input_error("{}: not a weights file (got {}, {})", path.string(), mark.what, kExpected)
        .with_hint(std::string(mark.hint));
  }
  const std::string file_name = path.filename().string();
  for (const auto& [part, what] : kNames) {
    if (file_name.find(part) == std::string::npos) continue;
    return input_error("{}: not a weights file (got {}, {})", path.string(), what, kExpected)
        .with_hint(std::string(kNotYet));
  }
  return input_error("{}: not a weights file (got unknown content, {})", path.string(), kExpected);
}

}  // namespace

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
  if (format.empty() && path.extension() != ".safetensors") throw unknown(path, bytes);
  try {
    if (format.starts_with("pth")) return {path, parse_pth(bytes, file), format, file};
    return {path, parse_safetensors(bytes, file), "safetensors", file};
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

Weights read_weights(const std::filesystem::path& path) { return open_weights(path).weights; }

}  // namespace effnet::formats
