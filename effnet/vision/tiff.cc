// TIFF by libtiff: the first image, in strips or tiles, interleaved or in planes. Grey, palette, RGB and CMYK of 1 to
// 16 bits; YCbCr as libtiff's JPEG codec outputs it. As in Pillow: alpha is dropped (associated alpha is divided out),
// palettes keep their high bytes, CMYK is converted by Pillow's formula, and 0 is white in a file without a photometric
// tag. 16-bit samples keep their high byte.
//
// libtiff's rarer codecs (old-style JPEG, LZMA, ZSTD, WebP, ...) are rejected: their memory depends on the compressed
// data alone and is not bounded by the file's size.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"

namespace effnet::vision {
namespace {

constexpr std::array kCompressions{
    COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTRLEW, COMPRESSION_CCITTFAX3,     COMPRESSION_CCITTFAX4,
    COMPRESSION_LZW,  COMPRESSION_JPEG,     COMPRESSION_DEFLATE,   COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS};
constexpr int kLinearRaw = 34892;  // DNG's photometric interpretation; libtiff 4.5 has no name for it
constexpr int kMaxSamples = 8;     // per pixel; files with more contain measurements, not an image
constexpr std::int64_t kMaxPixelBytes = std::int64_t{2} * kMaxSamples;  // a sample has at most 16 bits

Error corrupt(std::string_view what) {
  return input_error("corrupt or unsupported TIFF (got '{}', expected a complete image)", what);
}

// Runs libtiff on bytes in memory. Messages of libtiff go to `text_`, never to stderr; the first error is kept.
class Library {
 public:
  Library(std::span<const std::byte> file, std::int64_t most_bytes) : file_(file) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                               TIFFOpenOptionsFree);
    if (options == nullptr) throw environment_error("TIFF: not enough memory");
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), most_bytes);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, this);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), check_warning, this);
    tiff_ = TIFFClientOpenExt("TIFF", "r", this, read, write, seek, close, size, map, unmap, options.get());
    if (tiff_ == nullptr) throw failure();
    if (palette_lost_) {
      TIFFClose(tiff_);
      throw failure();
    }
  }
  ~Library() { TIFFClose(tiff_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  operator TIFF*() const { return tiff_; }
  Error failure() const { return corrupt(text_[0] != '\0' ? text_ : "image data that ends early"); }

  template <class T>
  T tag(std::uint32_t name, T default_value) const {
    T value{};
    return TIFFGetFieldDefaulted(tiff_, name, &value) == 1 ? value : default_value;
  }
  bool has(std::uint32_t name) const {
    std::array<void*, 4> ignored{};
    return TIFFGetField(tiff_, name, &ignored[0], &ignored[1], &ignored[2], &ignored[3]) == 1;
  }

 private:
  static Library& of(thandle_t handle) { return *static_cast<Library*>(handle); }
  static int keep_error(TIFF*, void* user, const char*, const char* format, va_list values) {
    auto& text = static_cast<Library*>(user)->text_;
    if (text[0] == '\0') std::vsnprintf(text, sizeof(text), format, values);
    return 1;
  }
  // If a palette image has no valid palette, libtiff warns about the tag ColorMap and reads the image as grey. This
  // warning is an error here. Other warnings do not affect the colours.
  static int check_warning(TIFF*, void* user, const char*, const char* format, va_list values) {
    auto& self = *static_cast<Library*>(user);
    std::array<char, sizeof(self.text_)> text{};
    std::vsnprintf(text.data(), text.size(), format, values);
    if (std::strstr(text.data(), "ColorMap") != nullptr && self.text_[0] == '\0') {
      std::memcpy(self.text_, text.data(), text.size());
      self.palette_lost_ = true;
    }
    return 1;
  }
  static tmsize_t read(thandle_t handle, void* to, tmsize_t size) {
    Library& self = of(handle);
    const std::size_t at = std::min<std::size_t>(self.at_, self.file_.size());
    const std::size_t count = std::min(static_cast<std::size_t>(size), self.file_.size() - at);
    if (count > 0) std::memcpy(to, self.file_.data() + at, count);
    self.at_ = at + count;
    return static_cast<tmsize_t>(count);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int from) {
    Library& self = of(handle);
    self.at_ = (from == SEEK_CUR ? self.at_ : from == SEEK_END ? self.file_.size() : 0) + offset;
    return self.at_;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).file_.size(); }
  static int map(thandle_t handle, void** base, toff_t* size) {
    *base = const_cast<std::byte*>(of(handle).file_.data());  // libtiff only reads it
    *size = of(handle).file_.size();
    return 1;
  }
  static void unmap(thandle_t, void*, toff_t) {}

  std::span<const std::byte> file_;
  toff_t at_ = 0;
  char text_[200] = "";
  bool palette_lost_ = false;
  TIFF* tiff_ = nullptr;
};

struct Layout {
  std::int64_t h = 0, w = 0;
  int bits = 0, samples = 0, photometric = 0;
  bool planes = false;         // the samples are separate planes, one after the other
  bool premultiplied = false;  // RGB is multiplied by the alpha sample that follows it
  int used = 0;                // samples per pixel that the colour needs
};

// The first image of a camera's raw file may be a small preview. The main image cannot be decoded here.
bool is_camera_raw(const Library& tiff, int photometric) {
  const bool preview = (tiff.tag<std::uint32_t>(TIFFTAG_SUBFILETYPE, 0) & FILETYPE_REDUCEDIMAGE) != 0;
  return photometric == PHOTOMETRIC_CFA || photometric == kLinearRaw || tiff.has(TIFFTAG_DNGVERSION) ||
         (preview && tiff.has(TIFFTAG_SUBIFD));
}

Layout read_layout(const Library& tiff) {
  Layout layout;
  layout.h = tiff.tag<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0);
  layout.w = tiff.tag<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
  layout.bits = tiff.tag<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1);
  layout.samples = tiff.tag<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
  layout.photometric = tiff.tag<std::uint16_t>(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
  layout.planes = tiff.tag<std::uint16_t>(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  if (is_camera_raw(tiff, layout.photometric)) {
    throw input_error("not an image that effnet reads (got a camera raw file, expected {})", "its developed image")
        .with_hint("to convert it: darktable-cli IN OUT.jpg (darktable)");
  }

  const int compression = tiff.tag<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  if (std::ranges::find(kCompressions, compression) == kCompressions.end()) {
    throw input_error("TIFF: unsupported compression (got {}, expected none, CCITT, LZW, JPEG, deflate or PackBits)",
                      compression)
        .with_hint("to convert it: tiffcp -c lzw IN OUT.tif (libtiff-tools)");
  }
  const int format = tiff.tag<std::uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  if ((format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID) || layout.bits < 1 || layout.bits > 16) {
    throw input_error("TIFF: unsupported samples (got {} of {} bits, expected unsigned integers of 1 to 16 bits)",
                      format == SAMPLEFORMAT_IEEEFP ? "floating-point numbers"
                      : format == SAMPLEFORMAT_INT  ? "signed integers"
                                                    : "unsigned integers",
                      layout.bits)
        .with_hint(
            "export the image with 8-bit samples from the program that wrote it: only that program knows the colours");
  }
  if (layout.photometric == PHOTOMETRIC_YCBCR && compression == COMPRESSION_JPEG && !layout.planes) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    layout.photometric = PHOTOMETRIC_RGB;
  }

  struct Colours {
    int photometric, samples;
  };
  constexpr std::array<Colours, 5> kColours{{{PHOTOMETRIC_MINISWHITE, 1},
                                             {PHOTOMETRIC_MINISBLACK, 1},
                                             {PHOTOMETRIC_RGB, 3},
                                             {PHOTOMETRIC_PALETTE, 1},
                                             {PHOTOMETRIC_SEPARATED, 4}}};
  const auto* const colours = std::ranges::find(kColours, layout.photometric, &Colours::photometric);
  if (colours == kColours.end() || (layout.photometric == PHOTOMETRIC_PALETTE && layout.bits > 8)) {
    throw input_error(
        "TIFF: unsupported kind of colour (got photometric interpretation {} with {} bits per sample, expected grey, "
        "palette, RGB or CMYK)",
        layout.photometric, layout.bits);
  }
  layout.used = colours->samples;
  if (layout.samples < layout.used || layout.samples > kMaxSamples) {
    throw input_error("TIFF: unsupported number of samples per pixel (got {}, expected {} to {})", layout.samples,
                      layout.used, kMaxSamples);
  }
  std::uint16_t extra = 0;
  const std::uint16_t* kinds = nullptr;
  if (layout.photometric == PHOTOMETRIC_RGB && layout.samples > layout.used &&
      TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extra, &kinds) == 1 && extra > 0) {
    layout.premultiplied = kinds[0] == EXTRASAMPLE_ASSOCALPHA;
    layout.used += layout.premultiplied ? 1 : 0;
  }
  return layout;
}

// Unpacks a row of packed samples to one byte per sample: `count` pixels of `step` samples each. Only the first `used`
// samples of a pixel are written; in `to`, pixels are `to_step` bytes apart. Samples below 8 bits are scaled to
// 0 ... 255; palette entries are not scaled.
void unpack(const std::uint8_t* row, std::int64_t count, int step, int used, const Layout& layout, int to_step,
            std::uint8_t* to) {
  const auto bits = static_cast<std::size_t>(layout.bits);
  const unsigned most = (1U << bits) - 1;
  const bool scaled = layout.photometric != PHOTOMETRIC_PALETTE;
  for (std::int64_t x = 0; x < count; ++x, to += to_step) {
    for (int i = 0; i < used; ++i) {
      const std::size_t sample =
          static_cast<std::size_t>(x) * static_cast<std::size_t>(step) + static_cast<std::size_t>(i);
      if (bits == 8) {
        to[i] = row[sample];
      } else if (bits == 16) {  // libtiff returns them in this machine's byte order
        std::uint16_t value = 0;
        std::memcpy(&value, row + 2 * sample, 2);
        to[i] = static_cast<std::uint8_t>(value >> 8);
      } else {
        unsigned value = 0;
        for (std::size_t bit = sample * bits; bit < (sample + 1) * bits; ++bit)
          value = value << 1 | (row[bit / 8] >> (7 - bit % 8) & 1U);
        to[i] = static_cast<std::uint8_t>(bits > 8 ? value >> (bits - 8) : scaled ? value * 255 / most : value);
      }
    }
  }
}

// Returns the samples that the colour needs, one byte each, `layout.used` per pixel. `max_bytes` bounds one strip or
// tile.
std::vector<std::uint8_t> read_samples(const Library& tiff, const Layout& layout, std::int64_t max_bytes) {
  const bool tiled = TIFFIsTiled(tiff) != 0;
  const std::int64_t block_h =
      tiled ? tiff.tag<std::uint32_t>(TIFFTAG_TILELENGTH, 0)
            : std::min<std::int64_t>(tiff.tag<std::uint32_t>(TIFFTAG_ROWSPERSTRIP, 0xFFFFFFFFU), layout.h);
  const std::int64_t block_w = tiled ? tiff.tag<std::uint32_t>(TIFFTAG_TILEWIDTH, 0) : layout.w;
  if (block_h < 1 || block_w < 1) throw corrupt("strips or tiles without pixels");
  const int step = layout.planes ? 1 : layout.samples;
  const std::int64_t row_bytes = (block_w * step * layout.bits + 7) / 8;
  if (row_bytes > max_bytes / block_h || row_bytes != (tiled ? TIFFTileRowSize(tiff) : TIFFScanlineSize(tiff)))
    throw corrupt("strips or tiles of an implausible size");

  std::vector<std::uint8_t> block(static_cast<std::size_t>(row_bytes * block_h));
  std::vector<std::uint8_t> samples(static_cast<std::size_t>(layout.h * layout.w * layout.used));
  for (int plane = 0; plane < (layout.planes ? layout.used : 1); ++plane) {
    for (std::int64_t top = 0; top < layout.h; top += block_h) {
      const std::int64_t rows = std::min(block_h, layout.h - top);
      for (std::int64_t left = 0; left < layout.w; left += block_w) {
        const auto y = static_cast<std::uint32_t>(top), x = static_cast<std::uint32_t>(left);
        const auto sample = static_cast<std::uint16_t>(plane);
        const auto wanted = static_cast<tmsize_t>(tiled ? row_bytes * block_h : row_bytes * rows);
        const tmsize_t got =
            tiled ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, sample), block.data(), wanted)
                  : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, sample), block.data(), wanted);
        if (got < wanted) throw tiff.failure();
        for (std::int64_t row = 0; row < rows; ++row) {
          std::uint8_t* to = samples.data() + ((top + row) * layout.w + left) * layout.used + plane;
          unpack(block.data() + row * row_bytes, std::min(block_w, layout.w - left), step,
                 layout.planes ? 1 : layout.used, layout, layout.used, to);
        }
      }
    }
  }
  return samples;
}

void to_rgb(const Library& tiff, const Layout& layout, const std::vector<std::uint8_t>& samples, Image& image) {
  const std::int64_t pixels = layout.h * layout.w;
  const std::uint8_t* from = samples.data();
  std::uint8_t* to = image.rgb.data();
  if (layout.photometric == PHOTOMETRIC_SEPARATED) return cmyk_to_rgb(from, pixels, false, to);

  std::array<std::array<std::uint8_t, 3>, 256> palette{};  // for images of one sample per pixel
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    std::array<std::uint16_t*, 3> map{};
    if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]) != 1)
      throw corrupt("a palette image without a palette");
    for (std::size_t i = 0; i < std::size_t{1} << layout.bits; ++i) {
      for (std::size_t c = 0; c < 3; ++c) palette[i][c] = static_cast<std::uint8_t>(map[c][i] >> 8);
    }
  } else {
    const bool inverted = layout.photometric == PHOTOMETRIC_MINISWHITE;
    for (std::size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<std::uint8_t>(inverted ? 255 - i : i));
  }
  for (std::int64_t i = 0; i < pixels; ++i, from += layout.used, to += 3) {
    if (layout.used == 1) {
      std::copy(palette[*from].begin(), palette[*from].end(), to);
    } else if (!layout.premultiplied) {
      std::copy(from, from + 3, to);
    } else {
      const int alpha = from[3];
      for (int c = 0; c < 3; ++c)
        to[c] = static_cast<std::uint8_t>(alpha == 0 ? 0 : std::min(255 * from[c] / alpha, 255));
    }
  }
}

}  // namespace

Decoded decode_tiff(std::span<const std::byte> file, const DecodeOptions& options) {
  // Library's second argument is the largest allocation that libtiff may make: enough for lists as long as the file,
  // and for a row or block of the largest image that check_declared_size() accepts.
  const auto bytes = static_cast<std::int64_t>(file.size());
  const std::int64_t most_pixels = std::min(options.max_pixels, kFreePixels + kPixelsPerByte * bytes);
  const Library tiff(file, (std::int64_t{1} << 20) + 8 * bytes + kMaxPixelBytes * most_pixels);
  const Layout layout = read_layout(tiff);
  check_declared_size("TIFF", static_cast<std::uint64_t>(layout.h), static_cast<std::uint64_t>(layout.w), file.size(),
                      options);
  // A tile may be larger than a small image.
  const std::int64_t most_block = kMaxPixelBytes * std::max(layout.h * layout.w, kFreePixels);
  Decoded result{blank({layout.h, layout.w}), tiff.tag<std::uint16_t>(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT)};
  to_rgb(tiff, layout, read_samples(tiff, layout, most_block), result.image);
  return result;
}

}  // namespace effnet::vision
