// Images in the page of a run.
#include <span>

#include "effnet/report/run_facts.h"

namespace effnet::report {
namespace {

constexpr std::int64_t kTinyPx = 64;  // images up to this width (CIFAR) are enlarged without interpolation

// Returns the image's width from the frame header of a JPEG file (markers C0 to C2, the encodings that browsers
// support). Returns 0 if the bytes are not such a file.
std::int64_t jpeg_width(std::span<const std::byte> file) {
  const auto word = [&](std::size_t at) {
    return std::to_integer<std::size_t>(file[at]) << 8 | std::to_integer<std::size_t>(file[at + 1]);
  };
  if (file.size() < 4 || word(0) != 0xFFD8) return 0;
  for (std::size_t at = 2; at + 9 <= file.size(); at += 2 + word(at + 2)) {
    if (word(at) >> 8 != 0xFF) return 0;
    if (word(at) >= 0xFFC0 && word(at) <= 0xFFC2) return static_cast<std::int64_t>(word(at + 7));
  }
  return 0;
}

}  // namespace

std::string jpeg_image(const Jpeg& file, std::string_view alt) {
  const std::int64_t width = jpeg_width(file);
  if (width == 0) return "no image";
  return fmt::format("<img{} alt=\"{}\" src=\"{}\">", width <= kTinyPx ? " class=\"tiny\"" : "",
                     escaped(shortened(alt, 120)), data_uri("image/jpeg", file));
}

}  // namespace effnet::report
