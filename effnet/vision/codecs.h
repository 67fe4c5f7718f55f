// The decoders behind decode.h, one file each, and what they share. Not for use outside of effnet/vision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "effnet/vision/decode.h"
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

// Part of a picture at 1, 1/2, 1/4 or 1/8 of its size.
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

  Size size() const;  // of the upright picture
  // Once. `part` lies within size(), `reduction` is 1, 2, 4 or 8.
  ReducedPart read(const Window& part, int reduction);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The bounds of decode.h, for sizes as a file declares them. Throws Error(input).
void check_declared_size(std::string_view format, std::uint64_t h, std::uint64_t w, std::size_t file_bytes,
                         const DecodeOptions& options);

}  // namespace effnet::vision
