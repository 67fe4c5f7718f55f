#include "effnet/vision/exif.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace effnet::vision {
namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::size_t kEntryBytes = 12;  // the tag 2, the type 2, the count 4, the value or its offset 4

enum class Kind { other, integer, signed_integer, fraction, signed_fraction, floating };
struct Type {
  Kind kind = Kind::other;
  std::size_t bytes = 0;
};
constexpr std::array<Type, 14> kTypes{{{},
                                       {Kind::other, 1},            // BYTE
                                       {Kind::other, 1},            // ASCII
                                       {Kind::integer, 2},          // SHORT
                                       {Kind::integer, 4},          // LONG
                                       {Kind::fraction, 8},         // RATIONAL
                                       {Kind::signed_integer, 1},   // SBYTE
                                       {Kind::other, 1},            // UNDEFINED
                                       {Kind::signed_integer, 2},   // SSHORT
                                       {Kind::signed_integer, 4},   // SLONG
                                       {Kind::signed_fraction, 8},  // SRATIONAL
                                       {Kind::floating, 4},         // FLOAT
                                       {Kind::floating, 8},         // DOUBLE
                                       {Kind::integer, 4}}};        // IFD

// As in Pillow, the magic number 42 may be in the wrong byte order.
constexpr std::array kBigEndian{"MM\0*"sv, "MM*\0"sv};
constexpr std::array kLittleEndian{"II*\0"sv, "II\0*"sv};

struct Tiff {
  std::span<const std::byte> bytes;
  bool big_endian = false;

  bool contains(std::size_t at, std::size_t size) const { return at <= bytes.size() && size <= bytes.size() - at; }

  std::uint64_t number(std::size_t at, std::size_t size) const {  // requires contains(at, size)
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t from = big_endian ? at + i : at + size - 1 - i;
      value = value << 8 | std::to_integer<std::uint64_t>(bytes[from]);
    }
    return value;
  }

  double integer(std::size_t at, std::size_t size, bool is_signed) const {
    const std::uint64_t value = number(at, size);
    const bool negative = is_signed && (value >> (8 * size - 1)) != 0;
    return static_cast<double>(value) - (negative ? std::exp2(8.0 * static_cast<double>(size)) : 0);
  }

  double value(std::size_t at, Type type) const {  // requires contains(at, type.bytes)
    switch (type.kind) {
      case Kind::integer:
      case Kind::signed_integer:
        return integer(at, type.bytes, type.kind == Kind::signed_integer);
      case Kind::fraction:
      case Kind::signed_fraction: {
        const bool is_signed = type.kind == Kind::signed_fraction;
        return integer(at, 4, is_signed) / integer(at + 4, 4, is_signed);
      }
      case Kind::floating:
        return type.bytes == 4 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(number(at, 4)))}
                               : std::bit_cast<double>(number(at, 8));
      case Kind::other:
        break;
    }
    return 0;
  }
};

int valid_or_upright(double value) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    if (value == orientation) return orientation;
  }
  return 1;
}

}  // namespace

std::optional<int> stored_orientation(std::span<const std::byte> exif) noexcept {
  const auto starts_with = [&](std::string_view text) {
    return exif.size() >= text.size() && std::memcmp(exif.data(), text.data(), text.size()) == 0;
  };
  if (starts_with("Exif\0\0"sv)) exif = exif.subspan(6);
  Tiff tiff{exif, std::ranges::any_of(kBigEndian, starts_with)};
  if (!tiff.big_endian && std::ranges::none_of(kLittleEndian, starts_with)) return {};
  if (!tiff.contains(4, 4)) return {};
  const std::size_t directory = tiff.number(4, 4);
  if (!tiff.contains(directory, 2)) return {};
  const std::size_t entries = tiff.number(directory, 2);

  std::optional<int> orientation;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * kEntryBytes;
    if (!tiff.contains(at, kEntryBytes)) break;
    if (tiff.number(at, 2) != kOrientationTag) continue;
    const std::uint64_t number = tiff.number(at + 2, 2), count = tiff.number(at + 4, 4);
    if (number >= kTypes.size() || kTypes[number].bytes == 0 || count == 0) continue;
    const Type type = kTypes[number];
    const bool inline_value = type.bytes * count <= 4;
    const std::size_t offset = inline_value ? at + 8 : tiff.number(at + 8, 4);
    if (!tiff.contains(offset, type.bytes * count)) continue;
    orientation = valid_or_upright(tiff.value(offset, type));
  }
  return orientation;
}

std::optional<int> xmp_orientation(std::string_view xmp) noexcept {
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = xmp.find(kName); at != xmp.npos; at = xmp.find(kName, at + 1)) {
    std::string_view rest = xmp.substr(at + kName.size());
    if (rest.starts_with("=\"")) {
      rest.remove_prefix(2);
    } else if (rest.starts_with('>')) {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') return valid_or_upright(rest.front() - '0');
  }
  return {};
}

}  // namespace effnet::vision
