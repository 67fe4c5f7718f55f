// JPEG by libjpeg-turbo with its default settings (accurate DCT, fancy upsampling), which Pillow also uses.
//
// libjpeg reports errors by a callback that must not return, so the callback leaves libjpeg by longjmp. The jumps stay
// within Reader::guarded: no object on the stack between its setjmp and libjpeg's C frames has a destructor. Memory
// that a step needs is allocated before the step.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/exif.h"
#include "effnet/vision/jpeg_errors.h"

namespace effnet::vision {
namespace {

// Encoders write about ten scans. Each scan makes the decoder visit all blocks and needs almost no bytes, so a small
// file could demand thousands of scans. Decoding 2^32 pixels takes about ten seconds.
constexpr int kMaxScans = 100;
constexpr std::int64_t kMaxScannedPixels = std::int64_t{1} << 32;

// Upsampled chroma depends on neighbours at most two pixels away, and libjpeg repeats the edge of the region that it
// decodes. So kContext more pixels are decoded on each side of a part. Rows are never narrower than kMinWidth, because
// libjpeg would upsample them in another way.
constexpr std::int64_t kContext = 2;
constexpr std::int64_t kMinWidth = 32;

// CMYK is always read as Adobe writes it (255 = no ink). Pillow assumes the same.
constexpr bool kInverted = true;

[[noreturn]] void fail_with(j_common_ptr codec, const char* text) {
  auto* errors = reinterpret_cast<JpegErrors*>(codec->err);
  std::snprintf(errors->text, sizeof(errors->text), "%s", text);
  std::longjmp(errors->jump, 1);
}

// On corrupt data libjpeg continues with grey or repeated blocks and a warning. These warnings are errors here. Other
// warnings (bytes between two markers, an unknown version number) do not affect pixels.
void handle_message(j_common_ptr codec, int level) {
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

void check_scans(j_common_ptr codec) {
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
    errors_.base.emit_message = handle_message;
    errors_.base.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = check_scans;
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

  // Sets the output size to ceil(size / reduction) and returns it.
  Size reduce(int reduction) {
    guarded([&] {
      codec_.scale_num = 1;
      codec_.scale_denom = static_cast<unsigned>(reduction);
      jpeg_calc_output_dimensions(&codec_);
    });
    return {codec_.output_height, codec_.output_width};
  }

  // libjpeg outputs grey and YCbCr files as RGB. It outputs YCCK and CMYK files as CMYK; these rows are read into
  // `cmyk` (the space of one row; empty for other files) and converted to RGB here.
  void read(Image& image, std::vector<std::uint8_t>& cmyk) {
    guarded([&] {
      codec_.out_color_space = cmyk.empty() ? JCS_RGB : JCS_CMYK;
      jpeg_start_decompress(&codec_);
      while (codec_.output_scanline < codec_.output_height) {
        std::uint8_t* to = image.rgb.data() + 3 * std::int64_t{codec_.output_scanline} * image.w;
        JSAMPROW row = cmyk.empty() ? to : cmyk.data();
        jpeg_read_scanlines(&codec_, &row, 1);
        if (!cmyk.empty()) cmyk_to_rgb(cmyk.data(), image.w, kInverted, to);
      }
      jpeg_finish_decompress(&codec_);
    });
  }

  // Reads only the pixels of `part`, into an image of the part's size. `row` has space for a row of the whole image,
  // with 4 bytes per pixel for CMYK, otherwise 3.
  void read_part(const Window& part, Image& image, std::vector<std::uint8_t>& row) {
    const bool cmyk = codec_.num_components == 4;
    guarded([&] {
      codec_.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
      jpeg_start_decompress(&codec_);
      const std::int64_t whole = codec_.output_width;
      const std::int64_t begin = std::max<std::int64_t>(std::min(part.left - kContext, whole - kMinWidth), 0);
      const std::int64_t end = std::min(std::max(part.left + part.size.w + kContext, begin + kMinWidth), whole);
      auto left = static_cast<JDIMENSION>(begin);
      auto width = static_cast<JDIMENSION>(end - begin);
      if ((begin > 0 || end < whole) && columns_croppable()) {
        jpeg_crop_scanline(&codec_, &left, &width);  // moves `left` to the edge of a block
      } else {
        left = 0;
      }
      if (part.top > kContext) jpeg_skip_scanlines(&codec_, static_cast<JDIMENSION>(part.top - kContext));

      const std::uint8_t* from = row.data() + (part.left - left) * (cmyk ? 4 : 3);
      JSAMPROW to = row.data();
      while (codec_.output_scanline < part.top + part.size.h) {
        const std::int64_t y = std::int64_t{codec_.output_scanline} - part.top;
        jpeg_read_scanlines(&codec_, &to, 1);
        if (y < 0) continue;
        std::uint8_t* rgb = image.rgb.data() + 3 * y * part.size.w;
        if (cmyk) {
          cmyk_to_rgb(from, part.size.w, kInverted, rgb);
        } else {
          std::memcpy(rgb, from, static_cast<std::size_t>(3 * part.size.w));
        }
      }
      if (!end_follows()) fail_with(reinterpret_cast<j_common_ptr>(&codec_), kTruncated);
      jpeg_abort_decompress(&codec_);
    });
  }

 private:
  static constexpr const char* kTruncated = "Premature end of JPEG file";

  // Returns whether jpeg_crop_scanline() can be used. It assumes that a channel's width is the image's width, or is
  // computed from the channel's sampling factor. A reduced image whose chroma has a quarter of the columns (4:1:0) is
  // an exception: its chroma rows are half as wide as the image, and half of each row would not be written.
  bool columns_croppable() const {
    for (int i = 0; i < codec_.num_components; ++i) {
      const jpeg_component_info& channel = codec_.comp_info[i];
      const auto most = static_cast<JDIMENSION>(codec_.max_h_samp_factor);
      const JDIMENSION sampled =
          (codec_.output_width * static_cast<JDIMENSION>(channel.h_samp_factor) + most - 1) / most;
      if (channel.downsampled_width != sampled && channel.downsampled_width != codec_.output_width) return false;
    }
    return true;
  }

  // Returns whether an end-of-image marker follows. In entropy-coded data 0xFF is followed only by 0 or by the number
  // of a restart marker, so 0xFF followed by JPEG_EOI is always the end-of-image marker.
  bool end_follows() {
    if (jpeg_input_complete(&codec_) || codec_.unread_marker == JPEG_EOI) return true;
    const JOCTET* at = codec_.src->next_input_byte;
    const JOCTET* end = at + codec_.src->bytes_in_buffer;
    while (end - at >= 2) {
      at = static_cast<const JOCTET*>(std::memchr(at, 0xFF, static_cast<std::size_t>(end - at - 1)));
      if (at == nullptr) return false;
      if (at[1] == JPEG_EOI) return true;
      ++at;
    }
    return false;
  }

  template <class Step>
  void guarded(Step step) {
    if (setjmp(errors_.jump) == 0) {
      step();
    } else {
      throw input_error("corrupt or unsupported JPEG (got '{}', expected a complete image)", errors_.text);
    }
  }

  jpeg_decompress_struct codec_{};
  jpeg_progress_mgr progress_{};
  JpegErrors errors_{};
};

// Returns the first APP1 segment with EXIF before the image data; empty if there is none. libjpeg is not used for this,
// because it saves markers in a list and walks the whole list for each new marker: a file of a million empty segments
// would take hours.
std::span<const std::byte> find_exif(std::span<const std::byte> file) {
  const auto byte = [&](std::size_t at) { return std::to_integer<unsigned>(file[at]); };
  std::size_t at = 2;  // after the start-of-image marker
  while (at + 4 <= file.size()) {
    if (byte(at) != 0xFF || byte(at + 1) == 0xFF || byte(at + 1) == 0) {  // fill or stray bytes, skipped as in libjpeg
      ++at;
      continue;
    }
    const unsigned marker = byte(at + 1);
    if (marker == 0xD9 || marker == 0xDA) break;
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {  // markers without a length
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

// Converts a window of the upright image to one of the stored image. Orientations 6 and 8 are inverse to each other,
// every other orientation is inverse to itself.
Window stored_window(const Window& part, Size upright, int orientation) {
  const auto top = static_cast<double>(part.top), left = static_cast<double>(part.left);
  const Box box =
      oriented(Box{left, top, left + static_cast<double>(part.size.w), top + static_cast<double>(part.size.h)}, upright,
               orientation == 6   ? 8
               : orientation == 8 ? 6
                                  : orientation);
  return {static_cast<std::int64_t>(box.y0), static_cast<std::int64_t>(box.x0), oriented(part.size, orientation)};
}

// Reads the header and checks it against the bounds of decode.h.
void read_checked_header(Reader& reader, std::span<const std::byte> file, const DecodeOptions& options, Size& size,
                         int& channels) {
  const jpeg_decompress_struct& header = reader.read_header(file);
  check_declared_size("JPEG", header.image_height, header.image_width, file.size(), options);
  size = {header.image_height, header.image_width};
  channels = header.num_components;
  if (channels != 1 && channels != 3 && channels != 4) {
    throw input_error("JPEG: unsupported number of channels (got {}, expected 1, 3 or 4)", channels);
  }
}

}  // namespace

bool is_jpeg(std::span<const std::byte> file) noexcept {
  return file.size() >= 3 && std::memcmp(file.data(), "\xff\xd8\xff", 3) == 0;
}

Decoded decode_jpeg(std::span<const std::byte> file, const DecodeOptions& options) {
  Reader reader;
  Size size;
  int channels = 0;
  read_checked_header(reader, file, options, size, channels);
  Decoded result{blank(size), 1};
  std::vector<std::uint8_t> cmyk(channels == 4 ? 4 * static_cast<std::size_t>(size.w) : 0);
  reader.read(result.image, cmyk);
  result.orientation = exif_orientation(find_exif(file));
  return result;
}

struct JpegFile::State {
  Reader reader;
  Size stored;
  int channels = 0;
  int orientation = 1;
};

JpegFile::JpegFile(std::span<const std::byte> file, const DecodeOptions& options) : state_(std::make_unique<State>()) {
  read_checked_header(state_->reader, file, options, state_->stored, state_->channels);
  if (options.apply_orientation) state_->orientation = exif_orientation(find_exif(file));
}

JpegFile::~JpegFile() = default;

Size JpegFile::size() const { return oriented(state_->stored, state_->orientation); }

ReducedPart JpegFile::read(const Window& part, int reduction) {
  EFFNET_CHECK(reduction == 1 || reduction == 2 || reduction == 4 || reduction == 8);
  checked_window(size(), part);
  const Window stored = stored_window(part, size(), state_->orientation);
  const Size reduced = state_->reader.reduce(reduction);
  const auto first = [&](std::int64_t begin) { return begin / reduction; };
  const auto last = [&](std::int64_t begin, std::int64_t count) { return (begin + count - 1) / reduction + 1; };
  const std::int64_t top = first(stored.top), left = first(stored.left);
  const Size size{last(stored.top, stored.size.h) - top, last(stored.left, stored.size.w) - left};
  EFFNET_CHECK(top + size.h <= reduced.h && left + size.w <= reduced.w);

  Image image = blank(size);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(reduced.w) * (state_->channels == 4 ? 4 : 3));
  state_->reader.read_part({top, left, size}, image, row);

  const auto reduced_position = [&](std::int64_t pixel, std::int64_t begin) {
    return static_cast<double>(pixel) / reduction - static_cast<double>(begin);
  };
  const Box box{reduced_position(stored.left, left), reduced_position(stored.top, top),
                reduced_position(stored.left + stored.size.w, left), reduced_position(stored.top + stored.size.h, top)};
  return {oriented(std::move(image), state_->orientation), oriented(box, size, state_->orientation)};
}

}  // namespace effnet::vision
