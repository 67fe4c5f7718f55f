// The decoders behind decode.h, one file per format, and their common parts. Private to effnet/vision.
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
  int orientation = 1;  // EXIF orientation, not yet applied
};

Decoded decode_jpeg(std::span<const std::byte> file, const DecodeOptions& options);
bool is_jpeg(std::span<const std::byte> file) noexcept;  // by its first bytes
Decoded decode_png(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_webp(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_gif(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_bmp(std::span<const std::byte> file, const DecodeOptions& options);
Decoded decode_heif(std::span<const std::byte> file, const DecodeOptions& options);  // AVIF too
Decoded decode_tiff(std::span<const std::byte> file, const DecodeOptions& options);

// A format is recognised by these bytes at this offset of the file.
struct Signature {
  std::size_t offset;
  std::string_view bytes;
};
// A file format that effnet reads, or that it only recognises for its error message.
struct Format {
  std::string_view name;                     // "JPEG"; with an article if effnet cannot read it: "a PDF file"
  std::vector<std::string_view> extensions;  // lower case, with the dot; the usual one first
  std::vector<Signature> signatures;         // a file that has one of them has this format
  Decoded (*decode)(std::span<const std::byte>, const DecodeOptions&) = nullptr;  // null: effnet cannot read it
  std::string_view convert = {};  // if `decode` is null: a command that converts the file IN to a readable image
  Encoder encode = nullptr;       // null: effnet cannot write it
};
constexpr std::size_t kSignatureBytes = 64;        // all signatures are within the first 64 bytes of a file
const Format* find_format(std::string_view head);  // null if no signature matches

// A part of an image at 1, 1/2, 1/4 or 1/8 of its size.
struct ReducedPart {
  Image image;  // the whole pixels that cover the part; at size 1 exactly the part
  Box box;      // position of the part, in pixels of `image`; each edge is less than 1 pixel inside the image's edge
};

// Decodes a part of a JPEG file, oriented if options.apply_orientation is set. At size 1 the pixels are byte for byte
// those of decode(). At smaller sizes libjpeg uses its smaller inverse DCTs, which cost less than the full ones.
//
// Rows above and columns beside the part are only entropy-decoded; rows below it are not read. So corrupt data outside
// of the part may stay undetected, but a file without an end-of-image marker is always an error. Size limits and errors
// are those of decode.h. `file` must outlive the object.
class JpegFile {
 public:
  explicit JpegFile(std::span<const std::byte> file, const DecodeOptions& options = {});  // reads the header
  ~JpegFile();
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  Size size() const;  // of the oriented image
  // May be called once. `part` is within size(), `reduction` is 1, 2, 4 or 8.
  ReducedPart read(const Window& part, int reduction);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Converts `pixels` CMYK pixels to RGB by Pillow's formula. If `inverted`, 255 means no ink; otherwise 255 means full
// ink.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::int64_t pixels, bool inverted, std::uint8_t* rgb);

// Throws Error(input) if the size that a file declares exceeds the limits of decode.h.
void check_declared_size(std::string_view format, std::uint64_t h, std::uint64_t w, std::size_t file_bytes,
                         const DecodeOptions& options);

}  // namespace effnet::vision
