// WebP by libwebp: lossy and lossless; alpha is dropped. The first frame of an animation is read, on a black canvas.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "effnet/base/error.h"
#include "effnet/vision/codecs.h"
#include "effnet/vision/exif.h"

namespace effnet::vision {
namespace {

struct DeleteDemuxer {
  void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

Error corrupt(std::string_view what) { return input_error("corrupt WebP (got {}, expected a complete image)", what); }

}  // namespace

Decoded decode_webp(std::span<const std::byte> file, const DecodeOptions& options) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(file.data()), file.size()};
  // WebPDemux returns null unless every chunk is complete and all frames are within the canvas.
  const std::unique_ptr<WebPDemuxer, DeleteDemuxer> demuxer(WebPDemux(&data));
  if (demuxer == nullptr) throw corrupt("an invalid or truncated container");
  const std::uint32_t width = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH);
  const std::uint32_t height = WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  check_declared_size("WebP", height, width, file.size(), options);

  Decoded result{blank({height, width}), 1};
  WebPIterator frame;
  if (WebPDemuxGetFrame(demuxer.get(), 1, &frame) == 0) throw corrupt("no image");
  const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> release_frame(&frame, WebPDemuxReleaseIterator);
  const std::int64_t stride = 3 * std::int64_t{width};
  const bool inside = frame.complete != 0 && frame.width > 0 && frame.height > 0 && frame.x_offset >= 0 &&
                      frame.y_offset >= 0 && std::int64_t{frame.x_offset} + frame.width <= width &&
                      std::int64_t{frame.y_offset} + frame.height <= height;
  if (!inside) throw corrupt("a frame outside of the canvas");
  const std::int64_t begin = frame.y_offset * stride + 3 * std::int64_t{frame.x_offset};

  // The advanced interface is used, because the simple one counts output bytes and strides as int.
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0)
    throw environment_error("WebP: libwebp has another version than the one that effnet was built with");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = result.image.rgb.data() + begin;
  config.output.u.RGBA.stride = static_cast<int>(stride);
  config.output.u.RGBA.size = result.image.rgb.size() - static_cast<std::size_t>(begin);
  if (WebPGetFeatures(frame.fragment.bytes, frame.fragment.size, &config.input) != VP8_STATUS_OK ||
      config.input.width != frame.width || config.input.height != frame.height) {
    throw corrupt("a frame whose size is not the declared one");
  }
  if (WebPDecode(frame.fragment.bytes, frame.fragment.size, &config) != VP8_STATUS_OK)
    throw corrupt("invalid image data");

  WebPChunkIterator chunk;
  if (options.apply_orientation && WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) != 0) {
    result.orientation = exif_orientation(std::as_bytes(std::span(chunk.chunk.bytes, chunk.chunk.size)));
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  return result;
}

}  // namespace effnet::vision
