// libjpeg reports errors by longjmp. As in jpeg.cc, no object with a destructor is created between setjmp and libjpeg's
// frames.
#include "effnet/vision/encode.h"

#include <webp/encode.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/vision/jpeg_errors.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {
namespace {

struct Writer {
  Writer() {
    codec.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = fail;
    errors.base.output_message = [](j_common_ptr) {};
  }
  ~Writer() {
    jpeg_destroy_compress(&codec);
    std::free(bytes);  // allocated by libjpeg with malloc
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool write(const Image& image, int quality) {
    if (setjmp(errors.jump) != 0) return false;
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &bytes, &size);
    codec.image_width = static_cast<JDIMENSION>(image.w);
    codec.image_height = static_cast<JDIMENSION>(image.h);
    codec.input_components = 3;
    codec.in_color_space = JCS_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, quality, TRUE);
    // The standard Huffman tables would make a small image a third larger.
    codec.optimize_coding = TRUE;
    jpeg_start_compress(&codec, TRUE);
    while (codec.next_scanline < codec.image_height) {
      // libjpeg takes a pointer to mutable samples but does not change them.
      auto* row = const_cast<JSAMPLE*>(image.rgb.data() + 3 * std::int64_t{codec.next_scanline} * image.w);
      jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    return true;
  }

  jpeg_compress_struct codec{};
  JpegErrors errors{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT: libjpeg's type
};

void check_sides(std::string_view format, const Image& image, std::int64_t most) {
  EFFNET_CHECK(static_cast<std::int64_t>(image.rgb.size()) == 3 * image.h * image.w);
  if (image.h < 1 || image.w < 1 || image.h > most || image.w > most) {
    throw input_error("{}: image size out of range (got {}x{}, expected 1 to {} pixels along each axis)", format,
                      image.w, image.h, most);
  }
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  check_sides("JPEG", image, JPEG_MAX_DIMENSION);
  Writer writer;
  if (!writer.write(image, quality)) throw input_error("JPEG: encoding failed ({})", writer.errors.text);
  const auto* begin = reinterpret_cast<const std::byte*>(writer.bytes);
  return {begin, begin + writer.size};
}

std::vector<std::byte> encode_webp(const Image& image, int quality) {
  check_sides("WebP", image, WEBP_MAX_DIMENSION);
  std::uint8_t* bytes = nullptr;
  const auto width = static_cast<int>(image.w), height = static_cast<int>(image.h);
  const std::size_t size =
      WebPEncodeRGB(image.rgb.data(), width, height, 3 * width, static_cast<float>(quality), &bytes);
  const std::unique_ptr<std::uint8_t, void (*)(void*)> released(bytes, WebPFree);
  if (size == 0) throw environment_error("WebP: encoding failed (not enough memory)");
  const auto* begin = reinterpret_cast<const std::byte*>(bytes);
  return {begin, begin + size};
}

Image thumbnail(const Image& image, std::int64_t most_px) {
  if (std::max(image.h, image.w) <= most_px) return image;
  return resize(image, fitted({image.h, image.w}, most_px), Filter::bicubic);
}

}  // namespace effnet::vision
