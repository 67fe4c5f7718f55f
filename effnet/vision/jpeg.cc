// JPEG by libjpeg-turbo with its defaults (accurate DCT, fancy upsampling), which are also Pillow's.
//
// libjpeg reports errors by a callback that must not return, so control leaves it by longjmp. The jumps stay within
// Reader::guarded: between setjmp there and libjpeg's C frames no object has a destructor, and what a step needs
// allocated is allocated outside.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

#include <jerror.h>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/exif.h"

namespace effnet::vision {
namespace {

// Encoders write about ten scans. Each costs a walk over all blocks, at next to no bytes, so a small file could ask for
// thousands; 2^32 pixels of walking are some ten seconds.
constexpr int kMaxScans = 100;
constexpr std::int64_t kMaxScannedPixels = std::int64_t{1} << 32;

struct Errors {
  jpeg_error_mgr base;  // first, so that libjpeg's pointer to it is a pointer to this
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void fail(j_common_ptr codec) {
  auto* errors = reinterpret_cast<Errors*>(codec->err);
  errors->base.format_message(codec, errors->text);
  std::longjmp(errors->jump, 1);
}

[[noreturn]] void fail_with(j_common_ptr codec, const char* text) {
  auto* errors = reinterpret_cast<Errors*>(codec->err);
  std::snprintf(errors->text, sizeof(errors->text), "%s", text);
  std::longjmp(errors->jump, 1);
}

// libjpeg goes on after damage with grey or repeated blocks and a warning. Those warnings are errors here; the others
// (bytes between two markers, a strange version number) leave every pixel as it was meant.
void judge_message(j_common_ptr codec, int level) {
  if (level >= 0) return;
  switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      fail(codec);
    default:
      ++codec->err->num_warnings;
  }
}

void judge_progress(j_common_ptr codec) {
  const auto* decompress = reinterpret_cast<j_decompress_ptr>(codec);
  const std::int64_t pixels = std::int64_t{decompress->image_height} * decompress->image_width;
  if (decompress->input_scan_number > kMaxScans || decompress->input_scan_number > kMaxScannedPixels / pixels) {
    fail_with(codec, "too many scans");
  }
}

class Reader {
 public:
  Reader() {
    codec_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = fail;
    errors_.base.emit_message = judge_message;
    errors_.base.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = judge_progress;
  }
  ~Reader() { jpeg_destroy_decompress(&codec_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  const jpeg_decompress_struct& read_header(std::span<const std::byte> file) {
    guarded([&] {
      jpeg_create_decompress(&codec_);
      codec_.progress = &progress_;
      jpeg_mem_src(&codec_, reinterpret_cast<const unsigned char*>(file.data()), file.size());
      jpeg_read_header(&codec_, TRUE);
    });
    return codec_;
  }

  // Grey and YCbCr come out of libjpeg as RGB; YCCK and CMYK as CMYK into `cmyk` (one row), and are mixed here.
  void read(Image& image, std::vector<std::uint8_t>& cmyk) {
    guarded([&] {
      codec_.out_color_space = cmyk.empty() ? JCS_RGB : JCS_CMYK;
      jpeg_start_decompress(&codec_);
      while (codec_.output_scanline < codec_.output_height) {
        std::uint8_t* to = image.rgb.data() + 3 * std::int64_t{codec_.output_scanline} * image.w;
        JSAMPROW row = cmyk.empty() ? to : cmyk.data();
        jpeg_read_scanlines(&codec_, &row, 1);
        if (!cmyk.empty()) mix_inks(cmyk.data(), image.w, to);
      }
      jpeg_finish_decompress(&codec_);
    });
  }

 private:
  template <class Step>
  void guarded(Step step) {
    if (setjmp(errors_.jump) == 0) {
      step();
    } else {
      throw input_error("broken or unsupported JPEG (got '{}', expected a complete picture)", errors_.text);
    }
  }

  // As Adobe writes CMYK, inverted (255 = no ink), whatever the file says: Pillow assumes the same. The product is
  // Pillow's: a * b / 255 to the nearest integer.
  static void mix_inks(const std::uint8_t* inks, std::int64_t pixels, std::uint8_t* rgb) {
    for (std::int64_t x = 0; x < pixels; ++x, inks += 4, rgb += 3) {
      const int light = inks[3];
      for (int c = 0; c < 3; ++c) {
        const int product = (255 - inks[c]) * light + 128;
        const int value = light - (((product >> 8) + product) >> 8);
        rgb[c] = static_cast<std::uint8_t>(value < 0 ? 0 : value);
      }
    }
  }

  jpeg_decompress_struct codec_{};
  jpeg_progress_mgr progress_{};
  Errors errors_{};
};

// The first APP1 segment with EXIF before the picture data. Found here, since libjpeg keeps saved markers in a list
// that it walks for each new one: a file of a million empty segments would take hours.
std::span<const std::byte> find_exif(std::span<const std::byte> file) {
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(file[at]); };
  std::size_t at = 2;  // after the start-of-image marker
  while (at + 4 <= file.size()) {
    if (byte(at) != 0xFF || byte(at + 1) == 0xFF || byte(at + 1) == 0) {  // fill bytes and stray ones, as libjpeg skips
      ++at;
      continue;
    }
    const unsigned marker = byte(at + 1);
    if (marker == 0xD9 || marker == 0xDA) break;
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // no length
      at += 2;
      continue;
    }
    const std::size_t length = byte(at + 2) << 8 | byte(at + 3);
    if (length < 2 || length > file.size() - at - 2) break;
    const auto body = file.subspan(at + 4, length - 2);
    if (marker == 0xE1 && body.size() >= 6 && std::memcmp(body.data(), "Exif\0", 5) == 0) return body;
    at += 2 + length;
  }
  return {};
}

}  // namespace

Decoded decode_jpeg(std::span<const std::byte> file, const DecodeOptions& options) {
  Reader reader;
  const jpeg_decompress_struct& header = reader.read_header(file);
  check_declared_size("JPEG", header.image_height, header.image_width, file.size(), options);
  const int channels = header.num_components;
  if (channels != 1 && channels != 3 && channels != 4) {
    throw input_error("JPEG: unknown kind of colour (got {} channels, expected 1, 3 or 4)", channels);
  }
  Decoded result{blank({header.image_height, header.image_width}), 1};
  std::vector<std::uint8_t> cmyk(channels == 4 ? 4 * std::size_t{header.image_width} : 0);
  reader.read(result.image, cmyk);
  result.orientation = exif_orientation(find_exif(file));
  return result;
}

}  // namespace effnet::vision
