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
constexpr std::size_t kEntryBytes = 12;  // tag 2, type 2, count 4, value or its offset 4

enum class Kind { other, whole, signed_whole, fraction, signed_fraction, floating };
struct Type {
  Kind kind = Kind::other;
  std::size_t bytes = 0;
};
constexpr std::array<Type, 14> kTypes{{{},
                                       {Kind::other, 1},            // BYTE
                                       {Kind::other, 1},            // ASCII
                                       {Kind::whole, 2},            // SHORT
                                       {Kind::whole, 4},            // LONG
                                       {Kind::fraction, 8},         // RATIONAL
                                       {Kind::signed_whole, 1},     // SBYTE
                                       {Kind::other, 1},            // UNDEFINED
                                       {Kind::signed_whole, 2},     // SSHORT
                                       {Kind::signed_whole, 4},     // SLONG
                                       {Kind::signed_fraction, 8},  // SRATIONAL
                                       {Kind::floating, 4},         // FLOAT
                                       {Kind::floating, 8},         // DOUBLE
                                       {Kind::whole, 4}}};          // IFD

// Pillow takes a 42 in the wrong byte order for what is meant.
constexpr std::array kBigEndian{"MM\0*"sv, "MM*\0"sv};
constexpr std::array kLittleEndian{"II*\0"sv, "II\0*"sv};

struct Tiff {
  std::span<const std::byte> bytes;
  bool big_endian = false;

  bool holds(std::size_t at, std::size_t size) const { return at <= bytes.size() && size <= bytes.size() - at; }

  std::uint64_t number(std::size_t at, std::size_t size) const {  // needs holds(at, size)
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t place = big_endian ? at + i : at + size - 1 - i;
      value = value << 8 | std::to_integer<std::uint64_t>(bytes[place]);
    }
    return value;
  }

  double whole(std::size_t at, std::size_t size, bool is_signed) const {
    const std::uint64_t value = number(at, size);
    const bool negative = is_signed && (value >> (8 * size - 1)) != 0;
    return static_cast<double>(value) - (negative ? std::exp2(8.0 * static_cast<double>(size)) : 0);
  }

  double value(std::size_t at, Type type) const {  // needs holds(at, type.bytes)
    switch (type.kind) {
      case Kind::whole:
      case Kind::signed_whole:
        return whole(at, type.bytes, type.kind == Kind::signed_whole);
      case Kind::fraction:
      case Kind::signed_fraction:
        return whole(at, 4, type.kind == Kind::signed_fraction) / whole(at + 4, 4, type.kind == Kind::signed_fraction);
      case Kind::floating:
        return type.bytes == 4 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(number(at, 4)))}
                               : std::bit_cast<double>(number(at, 8));
      case Kind::other:
        break;
    }
    return 0;
  }
};

int checked(double value) {
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
  if (!tiff.holds(4, 4)) return {};
  const std::size_t directory = tiff.number(4, 4);
  if (!tiff.holds(directory, 2)) return {};
  const std::size_t entries = tiff.number(directory, 2);

  std::optional<int> orientation;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * kEntryBytes;
    if (!tiff.holds(at, kEntryBytes)) break;
    if (tiff.number(at, 2) != kOrientationTag) continue;
    const std::uint64_t number = tiff.number(at + 2, 2), count = tiff.number(at + 4, 4);
    if (number >= kTypes.size() || kTypes[number].bytes == 0 || count == 0) continue;
    const Type type = kTypes[number];
    const bool inside = type.bytes * count <= 4;
    const std::size_t place = inside ? at + 8 : tiff.number(at + 8, 4);
    if (!tiff.holds(place, type.bytes * count)) continue;
    orientation = checked(tiff.value(place, type));
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
    if (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') return checked(rest.front() - '0');
  }
  return {};
}

}  // namespace effnet::vision
