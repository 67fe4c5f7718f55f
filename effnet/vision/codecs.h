// The decoders behind decode.h, one file each, and what they share. Not for use outside of effnet/vision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "effnet/vision/decode.h"
#include "effnet/vision/formats.h"
#include "effnet/vision/image.h"
#include "effnet/vision/resize.h"

namespace effnet::vision {

struct Decoded {
  Image image;
  int orientation = 1;  // of EXIF, not yet applied
};

Decoded decode_jpeg(std::span<const std::byte> file, const DecodeOptions& options);
bool is_jpeg(std::span<const std::byte> file) noexcept;  // by its first bytes
Decoded decode_png(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_webp(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_gif(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_bmp(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_heif(std::span<const std::byte> file, const DecodeOptions& options);  // AVIF too
Decoded decode_tiff(std::span<const std::byte> file, const DecodeOptions& options);

// A format of files, whether effnet reads it or not.
struct Mark {
  std::size_t offset;
  std::string_view bytes;
};
struct Format {
  std::string_view name;                     // "JPEG"; of those that are not read with an article: "a PDF file"
  std::vector<std::string_view> extensions;  // lower case, with the dot; the common one first
  std::vector<Mark> marks;                   // a file that has one of them is of this format
  Decoded (*decode)(std::span<const std::byte>, const DecodeOptions&) = nullptr;
  std::string_view convert = {};  // where there is no `decode`: a command that makes an image of the file IN
  Encoder encode = nullptr;       // where effnet writes it
};
constexpr std::size_t kMarkedBytes = 64;           // all marks lie within so many bytes
const Format* find_format(std::string_view head);  // null if no mark is there

// Part of an image at 1, 1/2, 1/4 or 1/8 of its size.
struct ReducedPart {
  Image image;  // whole pixels that cover the part; at size 1 the part and nothing else
  Box box;      // the part, in pixels of `image`; 0 ... 1 pixel from its edges
};

// A JPEG of which only a part is decoded, upright (with options.exif_turn). At size 1 its pixels are, byte for byte,
// those of decode(); at the others libjpeg's smaller inverse DCTs give them, for less than the price of the whole.
//
// Above and beside the part only the entropy code is read, below it nothing: damage there is not seen, but a file
// without its end is always an error. Bounds and errors are those of decode.h. `file` must outlive this.
class JpegFile {
 public:
  explicit JpegFile(std::span<const std::byte> file, const DecodeOptions& options = {});  // reads the header
  ~JpegFile();
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  Size size() const;  // of the upright image
  // Once. `part` lies within size(), `reduction` is 1, 2, 4 or 8.
  ReducedPart read(const Window& part, int reduction);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One row of inks (cyan, magenta, yellow, black; 255: no ink if `inverted`, else full ink) as RGB, by Pillow's formula.
void mix_inks(const std::uint8_t* inks, std::int64_t pixels, bool inverted, std::uint8_t* rgb);

// The bounds of decode.h, for sizes as a file declares them. Throws Error(input).
void check_declared_size(std::string_view format, std::uint64_t h, std::uint64_t w, std::size_t file_bytes,
                         const DecodeOptions& options);

}  // namespace effnet::vision
