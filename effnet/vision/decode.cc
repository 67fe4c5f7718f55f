#include "effnet/vision/decode.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/file.h"
#include "effnet/base/text.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/formats.h"

namespace effnet::vision {
namespace {

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
    throw input_error("{}: the image has no pixels (got {}x{}, expected at least 1x1)", format, w, h);
  const auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(options.max_pixels, 1));
  if (h > limit || w > limit || h * w > limit) {
    throw input_error("{}: the image is too large (got {}x{}, expected at most {} pixels)", format, w, h, limit);
  }
  const std::uint64_t plausible = kFreePixels + kPixelsPerByte * static_cast<std::uint64_t>(file_bytes);
  if (h * w > plausible) {
    throw input_error(
        "{}: the image is too large for its file (got {}x{}, expected at most {} pixels in a file of {} bytes)", format,
        w, h, plausible, file_bytes);
  }
}

void cmyk_to_rgb(const std::uint8_t* cmyk, std::int64_t pixels, bool inverted, std::uint8_t* rgb) {
  for (std::int64_t x = 0; x < pixels; ++x, cmyk += 4, rgb += 3) {
    const int light = inverted ? cmyk[3] : 255 - cmyk[3];
    for (int c = 0; c < 3; ++c) {
      // a * b / 255, rounded to nearest
      const int product = (inverted ? 255 - cmyk[c] : cmyk[c]) * light + 128;
      const int value = light - (((product >> 8) + product) >> 8);
      rgb[c] = static_cast<std::uint8_t>(value < 0 ? 0 : value);
    }
  }
}

StoredImage decode_stored(std::span<const std::byte> file, const DecodeOptions& options) {
  const auto head_bytes = file.first(std::min(file.size(), kSignatureBytes));
  const std::string_view head(reinterpret_cast<const char*>(head_bytes.data()), head_bytes.size());
  const Format* format = find_format(head);
  if (format == nullptr || format->decode == nullptr) {
    const std::string what = format != nullptr ? std::string(format->name) : describe_unknown(head);
    const Error error = input_error("not an image that effnet reads (got {}, expected {})", what, image_formats());
    const bool convertible = format != nullptr && !format->convert.empty();
    throw convertible ? error.with_hint(fmt::format("to convert it: {}", format->convert)) : error;
  }
  Decoded decoded = format->decode(file, options);
  return {std::move(decoded.image), decoded.orientation};
}

Image decode(std::span<const std::byte> file, const DecodeOptions& options) {
  StoredImage decoded = decode_stored(file, options);
  return options.apply_orientation ? oriented(std::move(decoded.image), decoded.orientation) : std::move(decoded.image);
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
