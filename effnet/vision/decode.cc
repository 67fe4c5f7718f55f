#include "effnet/vision/decode.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/vision/codecs.h"

namespace effnet::vision {
namespace {

using namespace std::string_view_literals;

using Decoder = Decoded (*)(std::span<const std::byte>, const DecodeOptions&);

// Bytes at a place that tell a format. Those without a decoder are known only to say what the file is.
struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view format;
  Decoder decoder;
};
constexpr std::array kSignatures{
    Signature{0, "\xff\xd8\xff"sv, "JPEG", decode_jpeg},
    Signature{0, "\x89PNG\r\n\x1a\n"sv, "PNG", decode_png},
    Signature{8, "WEBP"sv, "WebP", decode_webp},  // after "RIFF" and a size; WebPDemux checks both
    Signature{0, "GIF8"sv, "a GIF file", nullptr},
    Signature{0, "BM"sv, "a BMP file", nullptr},
    Signature{0, "II*\0"sv, "a TIFF or camera raw file", nullptr},
    Signature{0, "MM\0*"sv, "a TIFF or camera raw file", nullptr},
    Signature{4, "ftypavi"sv, "an AVIF file", nullptr},
    Signature{4, "ftyphei"sv, "a HEIC file", nullptr},
    Signature{4, "ftyphev"sv, "a HEIC file", nullptr},
    Signature{4, "ftypmif1"sv, "a HEIC file", nullptr},
    Signature{4, "ftypmsf1"sv, "a HEIC file", nullptr},
    Signature{4, "ftypcrx"sv, "a camera raw file", nullptr},
    Signature{4, "ftyp"sv, "a video file", nullptr},
    Signature{0, "\xff\x0a"sv, "a JPEG XL file", nullptr},
    Signature{4, "JXL \r\n\x87\n"sv, "a JPEG XL file", nullptr},
    Signature{4, "jP  \r\n\x87\n"sv, "a JPEG 2000 file", nullptr},
    Signature{0, "\xff\x4f\xff\x51"sv, "a JPEG 2000 file", nullptr},
    Signature{0, "8BPS"sv, "a Photoshop file", nullptr},
    Signature{0, "%PDF"sv, "a PDF file", nullptr},
    Signature{0, "\0\0\1\0"sv, "an icon file", nullptr},
    Signature{0, "PK\3\4"sv, "a ZIP file", nullptr},
    Signature{0, "\x1f\x8b"sv, "a gzip file", nullptr},
    Signature{0, "\x89HDF"sv, "an HDF5 file", nullptr},
    Signature{0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself", nullptr},
};

const Signature* find_signature(std::string_view head) {
  const auto found = std::ranges::find_if(kSignatures, [&](const Signature& signature) {
    return head.size() >= signature.offset && head.substr(signature.offset).starts_with(signature.bytes);
  });
  return found == kSignatures.end() ? nullptr : &*found;
}

std::string describe_unknown(std::string_view head) {
  if (head.empty()) return "an empty file";
  std::string_view visible = head.starts_with("\xef\xbb\xbf") ? head.substr(3) : head;
  visible.remove_prefix(std::min(visible.find_first_not_of(" \t\r\n"), visible.size()));
  if (visible.starts_with('<')) return "HTML, XML or SVG text";
  const auto textual = [](char c) { return c == '\t' || c == '\n' || c == '\r' || (c >= ' ' && c != '\x7f'); };
  if (std::ranges::all_of(head, textual)) return "a text file";
  return fmt::format("bytes {}", in_quotes(head.substr(0, 8)));
}

}  // namespace

void check_declared_size(std::string_view format, std::uint64_t h, std::uint64_t w, std::size_t file_bytes,
                         const DecodeOptions& options) {
  if (h == 0 || w == 0)
    throw input_error("{}: the picture has no pixels (got {}x{}, expected at least 1x1)", format, w, h);
  const auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(options.max_pixels, 1));
  if (h > limit || w > limit || h * w > limit) {
    throw input_error("{}: the picture is too large (got {}x{}, expected at most {} pixels)", format, w, h, limit);
  }
  const std::uint64_t plausible = kFreePixels + kPixelsPerByte * static_cast<std::uint64_t>(file_bytes);
  if (h * w > plausible) {
    throw input_error("{}: the picture is too large for its file (got {}x{}, expected at most {} pixels from {} bytes)",
                      format, w, h, plausible, file_bytes);
  }
}

StoredImage decode_stored(std::span<const std::byte> file, const DecodeOptions& options) {
  const auto head_bytes = file.first(std::min<std::size_t>(file.size(), 64));
  const std::string_view head(reinterpret_cast<const char*>(head_bytes.data()), head_bytes.size());
  const Signature* signature = find_signature(head);
  if (signature == nullptr || signature->decoder == nullptr) {
    throw input_error("not a picture that effnet reads (got {}, expected JPEG, PNG or WebP)",
                      signature != nullptr ? std::string(signature->format) : describe_unknown(head));
  }
  Decoded decoded = signature->decoder(file, options);
  return {std::move(decoded.image), decoded.orientation};
}

Image decode(std::span<const std::byte> file, const DecodeOptions& options) {
  StoredImage decoded = decode_stored(file, options);
  return options.exif_turn ? turned(std::move(decoded.image), decoded.orientation) : std::move(decoded.image);
}

Image read_image(const std::filesystem::path& path, const DecodeOptions& options) {
  const MappedFile file(path);
  try {
    return decode(file.bytes(), options);
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

}  // namespace effnet::vision
