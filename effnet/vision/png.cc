// PNG by libpng: palette, grey and RGB of any depth, interlaced or not. As in Pillow, alpha and tRNS are dropped,
// 16-bit samples keep their high byte, gamma and profiles are ignored. Every checksum up to the end of the image data
// must be valid. As in Pillow, chunks after the image data may be corrupt, and the file may end after any of them. Only
// a chunk whose body is truncated is an error there.
//
// libpng reports errors by longjmp; as in jpeg.cc, the jumps stay within Reader::guarded.
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/png_chunks.h"

namespace effnet::vision {
namespace {

class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : rest_(file) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
    if (png_ == nullptr)
      throw environment_error("PNG: libpng could not be initialised (expected version {})", PNG_LIBPNG_VER_STRING);
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw environment_error("PNG: not enough memory");
    }
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Reads up to the image data and sets libpng to output 8-bit RGB.
  void read_header() {
    guarded([this] {
      png_set_read_fn(png_, this, take);
      png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
      png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the limits of decode.h apply instead
      // libpng parses only the chunks that the pixels need, because texts and profiles can inflate to megabytes, and
      // because libpng would allocate the length that an eXIf chunk claims. read_png_chunks() finds the other useful
      // chunks.
      png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
      png_read_info(png_, info_);
    });
  }
  std::uint32_t height() const { return png_get_image_height(png_, info_); }
  std::uint32_t width() const { return png_get_image_width(png_, info_); }

  // An error after the last row is ignored if the file ends there, or if the error is after the first `checked` bytes
  // of the file.
  void read_pixels(Image& image, std::size_t checked) {
    try {
      guarded([&] {
        read_rows(image);
        png_read_end(png_, info_);
      });
    } catch (const Error&) {
      if (!rows_complete() || (!ends_early_ && taken_ <= checked)) throw;
    }
  }

 private:
  void read_rows(Image& image) {
    png_set_palette_to_rgb(png_);
    png_set_expand_gray_1_2_4_to_8(png_);
    png_set_gray_to_rgb(png_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    const auto row_bytes = static_cast<std::size_t>(3 * image.w);
    if (png_get_rowbytes(png_, info_) != row_bytes) png_error(png_, "unexpected pixel format");
    for (int pass = 0; pass < passes_; ++pass) {
      for (std::int64_t y = 0; y < image.h; ++y) {
        png_read_row(png_, image.rgb.data() + static_cast<std::size_t>(y) * row_bytes, nullptr);
      }
    }
  }

  // libpng increments its number of rows (or, for an interlaced image, of passes) as soon as the pixels are complete,
  // before it reads more bytes. An interlaced image has 7 passes.
  bool rows_complete() const {
    return passes_ == 1 ? png_get_current_row_number(png_) >= height() : png_get_current_pass_number(png_) >= 7;
  }

  [[noreturn]] static void fail(png_structp png, png_const_charp text) {
    auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
    std::snprintf(reader->text_, sizeof(reader->text_), "%s", text);
    std::longjmp(reader->jump_, 1);
  }

  static void take(png_structp png, png_bytep to, std::size_t size) {
    auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
    reader->ends_early_ = size > reader->rest_.size();
    if (reader->ends_early_) png_error(png, "the file ends early");
    std::memcpy(to, reader->rest_.data(), size);
    reader->taken_ += size;
    reader->rest_ = reader->rest_.subspan(size);
  }

  template <class Step>
  void guarded(Step step) {
    if (setjmp(jump_) == 0) {
      step();
    } else {
      throw input_error("corrupt or unsupported PNG (got '{}', expected a complete image)", text_);
    }
  }

  std::span<const std::byte> rest_;
  std::size_t taken_ = 0;
  bool ends_early_ = false;  // the last read asked for more bytes than were left
  int passes_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char text_[200] = "";
};

}  // namespace

Decoded decode_png(std::span<const std::byte> file, const DecodeOptions& options) {
  Reader reader(file);
  reader.read_header();
  check_declared_size("PNG", reader.height(), reader.width(), file.size(), options);
  Decoded result{blank({reader.height(), reader.width()}), 1};
  const PngChunks chunks = read_png_chunks(file);
  reader.read_pixels(result.image, chunks.end_of_image);
  if (chunks.truncated)
    throw input_error("corrupt or unsupported PNG (got a truncated chunk, expected a complete file)");
  result.orientation = png_orientation(chunks);
  return result;
}

}  // namespace effnet::vision
