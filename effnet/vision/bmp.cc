// Windows and OS/2 bitmaps: every header from OS/2 1 to Windows 5, 1 to 32 bits per pixel, palettes, bit masks, RLE4
// and RLE8, bottom-up and top-down. Alpha is dropped.
//
// This decoder is our own, because Debian's libraries that read BMP are toolkits (gd, ImageMagick, SDL): they depend on
// a font or window system and read fewer variants.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"

namespace effnet::vision {
namespace {

enum Compression : std::uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kMasks = 3, kMasksWithAlpha = 6 };

constexpr std::size_t kFileHeader = 14, kOs2Header = 12, kWindowsHeader = 40;
constexpr std::array<std::uint32_t, 7> kHeaderSizes{kOs2Header, kWindowsHeader, 52, 56, 64, 108, 124};

using Colour = std::array<std::uint8_t, 3>;

Error corrupt(std::string_view what) {
  return input_error("corrupt or unsupported BMP (got {}, expected a complete image)", what);
}

struct Bytes {
  std::span<const std::byte> file;

  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at > file.size() || size > file.size() - at) throw corrupt("a file that ends early");
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(file[at + i]);
    return value;
  }
};

struct Header {
  std::int64_t h = 0, w = 0;
  bool top_down = false;
  std::uint32_t bits = 0, compression = kPlain;
  std::size_t pixels = 0;                // offset of the pixels in the file
  std::array<Colour, 256> palette{};     // an entry that is not in the file is a grey level
  std::array<std::uint32_t, 3> masks{};  // red, green, blue; used from 16 bits per pixel on
};

void read_palette(const Bytes& bytes, std::size_t at, std::size_t entry, std::size_t count, Header& header) {
  for (std::size_t i = 0; i < header.palette.size(); ++i) {
    header.palette[i].fill(static_cast<std::uint8_t>(i));
    if (i >= count) continue;
    const std::uint32_t bgr = bytes.number(at + i * entry, 3);
    header.palette[i] = {static_cast<std::uint8_t>(bgr >> 16), static_cast<std::uint8_t>(bgr >> 8),
                         static_cast<std::uint8_t>(bgr)};
  }
}

Header read_header(const Bytes& bytes) {
  Header header;
  const std::uint32_t size = bytes.number(kFileHeader, 4);
  if (std::ranges::find(kHeaderSizes, size) == kHeaderSizes.end())
    throw corrupt(fmt::format("a header of {} bytes", size));
  const auto field = [&](std::size_t at, std::size_t width) { return bytes.number(kFileHeader + at, width); };
  const bool os2 = size == kOs2Header;
  header.w = field(4, os2 ? 2 : 4);
  header.h = field(os2 ? 6 : 8, os2 ? 2 : 4);
  header.bits = field(os2 ? 10 : 14, 2);
  std::uint32_t colours = 0;
  if (!os2) {
    header.top_down = field(11, 1) == 0xFF;  // the height is negative: its highest byte is 0xFF
    if (header.top_down) header.h = (std::int64_t{1} << 32) - header.h;
    header.compression = field(16, 4);
    colours = field(32, 4);
  }

  constexpr std::array<std::uint32_t, 7> kBits{1, 2, 4, 8, 16, 24, 32};
  if (std::ranges::find(kBits, header.bits) == kBits.end())
    throw corrupt(fmt::format("{} bits per pixel", header.bits));
  const bool run_lengths = header.compression == kRle8 || header.compression == kRle4;
  const bool masked = (header.compression == kMasks || header.compression == kMasksWithAlpha) && header.bits >= 16;
  if ((run_lengths && header.bits != (header.compression == kRle8 ? 8 : 4)) ||
      (!run_lengths && !masked && header.compression != kPlain)) {
    throw corrupt(fmt::format("compression {} with {} bits per pixel", header.compression, header.bits));
  }

  std::size_t end = kFileHeader + size;  // end of the headers
  if (header.bits == 16) {
    header.masks = {0x7C00, 0x3E0, 0x1F};
  } else {
    header.masks = {0xFF0000, 0xFF00, 0xFF};
  }
  if (masked) {
    // The masks follow a header of 40 bytes; longer headers contain them at the same place. If all masks are zero, the
    // defaults above are used, as in Pillow.
    std::array<std::uint32_t, 3> masks{};
    for (std::size_t i = 0; i < masks.size(); ++i) masks[i] = field(kWindowsHeader + 4 * i, 4);
    if (masks != std::array<std::uint32_t, 3>{}) header.masks = masks;
    if (size == kWindowsHeader) end += header.compression == kMasks ? 12 : 16;
  }
  if (header.bits <= 8) {
    const std::size_t entry = os2 ? 3 : 4, most = std::size_t{1} << header.bits;
    const std::size_t count = colours == 0 ? most : colours;
    read_palette(bytes, end, entry, std::min(count, most), header);
    end += entry * count;
  }
  header.pixels = bytes.number(10, 4);
  // Some programs store the palette's offset in this field, instead of the pixels' offset.
  if (header.pixels == 0 || (header.bits <= 8 && header.pixels == kFileHeader + size)) header.pixels = end;
  return header;
}

// Extracts a channel of 1 to 32 adjacent bits from a pixel and scales it to 0..255, rounded down as in Pillow.
struct Channel {
  explicit Channel(std::uint32_t bits)
      : mask(bits), shift(bits == 0 ? 0 : std::countr_zero(bits)), most(bits >> shift) {}
  std::uint8_t of(std::uint32_t pixel) const {
    if (most == 0) return 0;
    return static_cast<std::uint8_t>(std::uint64_t{(pixel & mask) >> shift} * 255 / most);
  }
  std::uint32_t mask;
  int shift;
  std::uint32_t most;
};

std::uint8_t* row_of(Image& image, const Header& header, std::int64_t y) {
  return image.rgb.data() + 3 * image.w * (header.top_down ? y : image.h - 1 - y);
}

void read_plain(const Bytes& bytes, const Header& header, Image& image) {
  const std::size_t row_bits = static_cast<std::size_t>(header.w) * header.bits;
  const std::size_t row_bytes = (row_bits + 7) / 8, stride = (row_bits + 31) / 32 * 4;
  const std::size_t needed = stride * (static_cast<std::size_t>(header.h) - 1) + row_bytes;
  if (header.pixels > bytes.file.size() || needed > bytes.file.size() - header.pixels)
    throw corrupt("a file that ends early");
  const std::array<Channel, 3> channels{Channel(header.masks[0]), Channel(header.masks[1]), Channel(header.masks[2])};
  for (std::int64_t y = 0; y < header.h; ++y) {
    const std::byte* from = bytes.file.data() + header.pixels + static_cast<std::size_t>(y) * stride;
    std::uint8_t* to = row_of(image, header, y);
    if (header.bits <= 8) {
      const std::uint32_t most = (1U << header.bits) - 1;
      for (std::size_t x = 0, bit = 0; x < static_cast<std::size_t>(header.w); ++x, bit += header.bits) {
        const auto byte = std::to_integer<std::uint32_t>(from[bit / 8]);
        const Colour& colour = header.palette[byte >> (8 - header.bits - bit % 8) & most];
        to = std::copy(colour.begin(), colour.end(), to);
      }
      continue;
    }
    const std::size_t width = header.bits / 8;
    for (std::int64_t x = 0; x < header.w; ++x, from += width) {
      std::uint32_t pixel = 0;
      for (std::size_t i = width; i-- > 0;) pixel = pixel << 8 | std::to_integer<std::uint32_t>(from[i]);
      for (const Channel& channel : channels) *to++ = channel.of(pixel);
    }
  }
}

// Decodes RLE8 and RLE4. A run is a count and a palette entry (RLE4: two alternating entries). A count of 0 is an
// escape, and the next byte is its kind: 0 ends the row, 1 ends the image, 2 skips columns and rows, n > 2 means that n
// literal entries follow, padded to an even number of bytes. Skipped pixels get the colour of entry 0.
void read_runs(const Bytes& bytes, const Header& header, Image& image) {
  for (std::size_t i = 0; i < image.rgb.size(); i += 3)
    std::copy(header.palette[0].begin(), header.palette[0].end(), &image.rgb[i]);
  const bool halves = header.compression == kRle4;
  std::int64_t x = 0, y = 0;
  const auto put = [&](std::uint32_t entry) {
    if (x < header.w && y < header.h) {
      const Colour& colour = header.palette[entry];
      std::copy(colour.begin(), colour.end(), row_of(image, header, y) + 3 * x);
    }
    ++x;
  };
  std::size_t at = header.pixels;
  const auto next = [&] { return bytes.number(at++, 1); };
  // The end mark of the last row is optional.
  while (y + 1 < header.h || (y < header.h && x < header.w)) {
    const std::uint32_t count = next(), value = next();
    if (count > 0) {
      for (std::uint32_t i = 0; i < count; ++i) put(!halves ? value : i % 2 == 0 ? value >> 4 : value & 15);
    } else if (value == 0) {
      x = 0;
      ++y;
    } else if (value == 1) {
      break;
    } else if (value == 2) {
      x += next();
      y += next();
    } else {
      std::uint32_t byte = 0;
      for (std::uint32_t i = 0; i < value; ++i) {
        if (!halves || i % 2 == 0) byte = next();
        put(!halves ? byte : i % 2 == 0 ? byte >> 4 : byte & 15);
      }
      const std::uint32_t used = halves ? (value + 1) / 2 : value;
      at += used % 2;
    }
  }
}

}  // namespace

Decoded decode_bmp(std::span<const std::byte> file, const DecodeOptions& options) {
  const Bytes bytes{file};
  const Header header = read_header(bytes);
  check_declared_size("BMP", static_cast<std::uint64_t>(header.h), static_cast<std::uint64_t>(header.w), file.size(),
                      options);
  Decoded result{blank({header.h, header.w}), 1};
  if (header.compression == kRle8 || header.compression == kRle4) {
    read_runs(bytes, header, result.image);
  } else {
    read_plain(bytes, header, result.image);
  }
  return result;
}

}  // namespace effnet::vision
