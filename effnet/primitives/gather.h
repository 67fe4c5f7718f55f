// The input of a GEMM: where it lies, or gathered for a run of output pixels (im2col, a run at a time).
#pragma once

#include <cstdint>

#include "effnet/base/shape.h"
#include "effnet/primitives/gemm.h"
#include "effnet/tensor/blocked.h"

namespace effnet::primitives {

// A window over an image; its padding before the first row and column.
struct Window {
  std::int64_t kernel = 1, stride = 1, top = 0, left = 0;
};

// What the depth k of a convolution's GEMM runs over, in segments (gemm.h):
//   blocked   1x1, stride 1: channel blocks; value k is channel k
//   image     the first layer: window rows of an HWC image, each cut into equal segments of at most 16 floats;
//             a segment may reach beyond the row, where its weights are zero
//   window    other windows: taps (ky, kx) x segments of 16 channels, or of 8 where the channels are no multiple of 16
struct DepthLayout {
  enum class Source { blocked, image, window };
  Source source = Source::blocked;
  GemmDepth gemm;
  std::int64_t segments_each = 1;  // image, window: segments of a window row or of a tap
};
// Of a convolution with groups = 1 over `channels` channels.
DepthLayout depth_of_image(std::int64_t channels, std::int64_t kernel);
DepthLayout depth_of_window(std::int64_t channels, std::int64_t kernel);

// The network's input as the convolutions that read it need it: HWC rows with the padding in memory, the most that one
// of them needs on each side.
struct ImageLayout {
  Chw in;
  std::int64_t top = 0, left = 0;
  std::int64_t height = 0, width = 0;  // padded
  std::int64_t row_values() const { return width * in.c; }
  std::int64_t image_values() const { return height * row_values(); }
  // Of some images and a block of zeros, into which the windows of the last row may reach.
  std::int64_t values(std::int64_t images) const { return images * image_values() + tensor::kBlock; }
  std::int64_t bytes(std::int64_t images) const { return values(images) * static_cast<std::int64_t>(sizeof(float)); }
};

struct GemmSource {
  DepthLayout depth;
  tensor::BlockedShape in;
  Chw out;  // of one image
  Window window;
  ImageLayout image;  // DepthLayout::Source::image

  bool in_place() const { return depth.source == DepthLayout::Source::blocked; }
  std::int64_t scratch_bytes(std::int64_t pixels) const {
    return in_place() ? 0 : depth.gemm.segments * pixels * tensor::kBlock * static_cast<std::int64_t>(sizeof(float));
  }
};
// Output pixels [first, first + count) of `image`; in place they may run on into the next images. scratch: not read
// where in_place().
GemmInput gemm_input(const GemmSource& source, const float* in, std::int64_t image, std::int64_t first,
                     std::int64_t count, float* scratch) noexcept;

// Pixels in HWC rows without padding in memory, as LibTorch's channels-last tensors have them.
struct RowSource {
  const float* data;
  std::int64_t images;
  Chw in, out;  // of one image
  Window window;
  std::int64_t depth() const { return window.kernel * window.kernel * in.c; }  // in the order ky, kx, channel
};
// The windows of output pixels [first, first + count) of the batch as a blocked matrix of depth() channels, its blocks
// `block` floats apart. Lanes beyond the depth are zero.
void gather_rows(const RowSource& source, std::int64_t first, std::int64_t count, float* to, std::int64_t block);

}  // namespace effnet::primitives
