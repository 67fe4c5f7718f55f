// GIF by giflib: the first frame, as Pillow's convert('RGB') returns it. The canvas is enlarged to contain the frame.
// Pixels that the frame does not cover get the colour of the palette's transparent entry, or of entry 0 if there is no
// transparent entry. Transparent pixels get their palette colour. In a file without a palette, entries are grey levels.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"

namespace effnet::vision {
namespace {

// The source that giflib reads from. The image data is a list of blocks with an end mark, a block of length 0. The end
// mark is optional: if the file ends before it, take() returns a length of 0.
struct Source {
  std::span<const std::byte> rest;
  bool in_blocks = false;  // inside the image data; a block is a length byte, then that many bytes
  bool in_body = false;    // the next bytes are a block's body, not its length

  int take(GifByteType* to, std::size_t size) {
    if (in_blocks && !in_body && rest.empty()) {
      *to = 0;
      return 1;
    }
    const std::size_t count = std::min(size, rest.size());
    if (count > 0) std::memcpy(to, rest.data(), count);
    rest = rest.subspan(count);
    if (in_blocks) in_body = !in_body && count == 1 && *to != 0;
    return static_cast<int>(count);
  }
};

Error corrupt(std::string_view what) {
  return input_error("corrupt or unsupported GIF (got '{}', expected a complete image)", what);
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : source_{file} {
    int error = 0;
    gif_.reset(DGifOpen(
        &source_,
        [](GifFileType* gif, GifByteType* to, int size) {
          return static_cast<Source*>(gif->UserData)->take(to, static_cast<std::size_t>(size));
        },
        &error));
    if (gif_ == nullptr) throw failure(error);
  }

  // Reads up to the first frame. Then frame() describes it. Stores the transparent entry if there is one.
  void find_frame() {
    for (GifRecordType type = UNDEFINED_RECORD_TYPE; type != IMAGE_DESC_RECORD_TYPE;) {
      check(DGifGetRecordType(gif_.get(), &type));
      if (type == TERMINATE_RECORD_TYPE) throw corrupt("no image");
      if (type == EXTENSION_RECORD_TYPE) read_extension();
    }
    check(DGifGetImageDesc(gif_.get()));
    source_.in_blocks = true;
  }

  // The size of the canvas, enlarged to contain the frame.
  std::int64_t height() const {
    return std::max<std::int64_t>(gif_->SHeight, std::int64_t{frame().Top} + frame().Height);
  }
  std::int64_t width() const {
    return std::max<std::int64_t>(gif_->SWidth, std::int64_t{frame().Left} + frame().Width);
  }

  Image read() {
    using Colour = std::array<std::uint8_t, 3>;
    std::array<Colour, 256> palette;
    for (std::size_t i = 0; i < palette.size(); ++i) palette[i].fill(static_cast<std::uint8_t>(i));
    const ColorMapObject* map = frame().ColorMap != nullptr ? frame().ColorMap : gif_->SColorMap;
    for (std::size_t i = 0;
         map != nullptr && i < std::min<std::size_t>(palette.size(), static_cast<std::size_t>(map->ColorCount)); ++i)
      palette[i] = {map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue};

    Image image = blank({height(), width()});
    const Colour around = palette[transparent_.value_or(0)];
    if (around != Colour{}) {
      for (std::size_t i = 0; i < image.rgb.size(); i += 3) std::copy(around.begin(), around.end(), &image.rgb[i]);
    }
    std::vector<GifByteType> row(static_cast<std::size_t>(frame().Width));
    const auto read_row = [&](std::int64_t y) {
      check(DGifGetLine(gif_.get(), row.data(), frame().Width));
      std::uint8_t* to = image.rgb.data() + 3 * ((frame().Top + y) * image.w + frame().Left);
      for (const GifByteType entry : row) to = std::copy(palette[entry].begin(), palette[entry].end(), to);
    };
    struct Pass {
      std::int64_t begin, step;
    };
    constexpr std::array<Pass, 4> kInterlaced{{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
    constexpr std::array<Pass, 1> kPlain{{{0, 1}}};
    const std::span<const Pass> passes = frame().Interlace ? std::span<const Pass>(kInterlaced) : kPlain;
    for (const Pass& pass : passes) {
      for (std::int64_t y = pass.begin; y < frame().Height; y += pass.step) read_row(y);
    }
    return image;
  }

  const GifImageDesc& frame() const { return gif_->Image; }

 private:
  struct Close {
    void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
  };

  static Error failure(int error) {
    if (error == D_GIF_ERR_READ_FAILED) return corrupt("the file ends early");
    const char* text = GifErrorString(error);
    return corrupt(text != nullptr ? text : "an unknown error");
  }
  void check(int result) const {
    if (result == GIF_ERROR) throw failure(gif_->Error);
  }

  void read_extension() {
    int kind = 0;
    GifByteType* block = nullptr;
    check(DGifGetExtension(gif_.get(), &kind, &block));
    // The bytes of the block: length (0), flags (1), delay (2 and 3), transparent entry (4).
    if (kind == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4 && (block[1] & 1) != 0)
      transparent_ = block[4];
    while (block != nullptr) check(DGifGetExtensionNext(gif_.get(), &block));
  }

  Source source_;
  std::unique_ptr<GifFileType, Close> gif_;
  std::optional<std::uint8_t> transparent_;
};

}  // namespace

Decoded decode_gif(std::span<const std::byte> file, const DecodeOptions& options) {
  Reader reader(file);
  reader.find_frame();
  if (reader.frame().Width < 1 || reader.frame().Height < 1) throw corrupt("a frame without pixels");
  check_declared_size("GIF", static_cast<std::uint64_t>(reader.height()), static_cast<std::uint64_t>(reader.width()),
                      file.size(), options);
  return {reader.read(), 1};
}

}  // namespace effnet::vision
