// PNG by libpng: palette, grey and RGB of any depth, interlaced or not. Alpha and tRNS are dropped, 16-bit samples keep
// their high byte, gamma and profiles are ignored, as Pillow does. Every checksum must be right.
//
// Errors leave libpng by longjmp; as in jpeg.cc the jumps stay within Reader::guarded.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/exif.h"

namespace effnet::vision {
namespace {

class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : rest_(file) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
    if (png_ == nullptr)
      throw environment_error("PNG: libpng does not start (got a library other than {})", PNG_LIBPNG_VER_STRING);
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw environment_error("PNG: not enough memory");
    }
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Reads up to the picture data and leaves libpng set to give 8-bit RGB.
  void read_header() {
    guarded([this] {
      png_set_read_fn(png_, this, take);
      png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // decode.h has its own
      // No chunk that the pixels don't need is parsed: texts and profiles inflate to megabytes, and for an eXIf chunk
      // libpng allocates whatever length it claims. find_exif looks for that one.
      png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
      png_read_info(png_, info_);
    });
  }
  std::uint32_t height() const { return png_get_image_height(png_, info_); }
  std::uint32_t width() const { return png_get_image_width(png_, info_); }

  void read_pixels(Image& image) {
    guarded([&] {
      png_set_palette_to_rgb(png_);
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
      png_set_strip_16(png_);
      png_set_strip_alpha(png_);
      const int passes = png_set_interlace_handling(png_);
      png_read_update_info(png_, info_);
      const auto row_bytes = static_cast<std::size_t>(3 * image.w);
      if (png_get_rowbytes(png_, info_) != row_bytes) png_error(png_, "unexpected kind of pixel");
      for (int pass = 0; pass < passes; ++pass) {
        for (std::int64_t y = 0; y < image.h; ++y) {
          png_read_row(png_, image.rgb.data() + static_cast<std::size_t>(y) * row_bytes, nullptr);
        }
      }
      png_read_end(png_, info_);
    });
  }

 private:
  [[noreturn]] static void fail(png_structp png, png_const_charp text) {
    auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
    std::snprintf(reader->text_, sizeof(reader->text_), "%s", text);
    std::longjmp(reader->jump_, 1);
  }

  static void take(png_structp png, png_bytep to, std::size_t size) {
    auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
    if (size > reader->rest_.size()) png_error(png, "the file ends early");
    std::memcpy(to, reader->rest_.data(), size);
    reader->rest_ = reader->rest_.subspan(size);
  }

  template <class Step>
  void guarded(Step step) {
    if (setjmp(jump_) == 0) {
      step();
    } else {
      throw input_error("broken or unsupported PNG (got '{}', expected a complete picture)", text_);
    }
  }

  std::span<const std::byte> rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char text_[200] = "";
};

// The body of the first eXIf chunk, before or after the picture data. Each chunk is a length, a name, a body and a
// checksum, which libpng has checked by then.
std::span<const std::byte> find_exif(std::span<const std::byte> file) {
  constexpr std::size_t kSignature = 8, kHead = 8, kChecksum = 4;
  std::size_t at = kSignature;
  while (file.size() - at >= kHead) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) length = length << 8 | std::to_integer<std::size_t>(file[at + i]);
    const auto rest = file.subspan(at + kHead);
    if (length > rest.size()) break;
    if (std::memcmp(file.data() + at + 4, "eXIf", 4) == 0) return rest.first(length);
    at += std::min(kHead + length + kChecksum, file.size() - at);
  }
  return {};
}

}  // namespace

Decoded decode_png(std::span<const std::byte> file, const DecodeOptions& options) {
  Reader reader(file);
  reader.read_header();
  check_declared_size("PNG", reader.height(), reader.width(), file.size(), options);
  Decoded result{blank({reader.height(), reader.width()}), 1};
  reader.read_pixels(result.image);
  result.orientation = exif_orientation(find_exif(file));
  return result;
}

}  // namespace effnet::vision
