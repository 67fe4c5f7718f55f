#include "effnet/vision/exif.h"

#include <cstdint>
#include <cstring>

namespace effnet::vision {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;
enum TiffType : std::uint32_t { kByte = 1, kShort = 3, kLong = 4 };
constexpr std::size_t kEntryBytes = 12;  // tag 2, type 2, count 4, value or its offset 4

struct Tiff {
  std::span<const std::byte> bytes;
  bool big_endian = false;

  bool holds(std::size_t at, std::size_t size) const { return at <= bytes.size() && size <= bytes.size() - at; }

  std::uint32_t number(std::size_t at, std::size_t size) const {  // needs holds(at, size)
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t place = big_endian ? at + i : at + size - 1 - i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[place]);
    }
    return value;
  }
};

bool starts_with(std::span<const std::byte> bytes, const char* text, std::size_t size) {
  return bytes.size() >= size && std::memcmp(bytes.data(), text, size) == 0;
}

}  // namespace

int exif_orientation(std::span<const std::byte> exif) noexcept {
  if (starts_with(exif, "Exif\0\0", 6)) exif = exif.subspan(6);
  Tiff tiff{exif, starts_with(exif, "MM\0*", 4)};
  if (!tiff.big_endian && !starts_with(exif, "II*\0", 4)) return 1;
  if (!tiff.holds(4, 4)) return 1;
  const std::size_t directory = tiff.number(4, 4);
  if (!tiff.holds(directory, 2)) return 1;
  const std::size_t entries = tiff.number(directory, 2);

  int orientation = 1;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * kEntryBytes;
    if (!tiff.holds(at, kEntryBytes)) break;
    if (tiff.number(at, 2) != kOrientationTag || tiff.number(at + 4, 4) != 1) continue;
    const std::uint32_t type = tiff.number(at + 2, 2);
    const std::size_t width = type == kByte ? 1 : type == kShort ? 2 : type == kLong ? 4 : 0;
    if (width == 0) continue;
    const std::uint32_t value = tiff.number(at + 8, width);
    orientation = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return orientation;
}

}  // namespace effnet::vision
