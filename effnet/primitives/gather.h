// The input of a GEMM: the address of the blocked tensor, or the gathered windows of a range of output pixels (im2col).
#pragma once

#include <cstdint>

#include "effnet/base/shape.h"
#include "effnet/primitives/gemm.h"
#include "effnet/tensor/blocked.h"

namespace effnet::primitives {

// A convolution window. top and left are the padding before the first row and column.
struct Window {
  std::int64_t kernel = 1, stride = 1, top = 0, left = 0;
};

// The depth k of a convolution's GEMM is divided into segments (gemm.h). The division depends on DepthLayout::Source:
//   blocked   1x1, stride 1: channel blocks; value k is channel k
//   image     the first layer: each window row of an HWC image is divided into equal segments of at most 16 floats; the
//             last segment may extend beyond the row, and its weights are zero there
//   window    all other windows: for each tap (ky, kx), segments of 16 channels, or of 8 channels if the number of
//             channels is not a multiple of 16
struct DepthLayout {
  enum class Source { blocked, image, window };
  Source source = Source::blocked;
  GemmDepth gemm;
  std::int64_t segments_each = 1;  // image: segments per window row; window: segments per tap
};
// Return the layout for a convolution with groups = 1 and `channels` input channels.
DepthLayout depth_of_image(std::int64_t channels, std::int64_t kernel);
DepthLayout depth_of_window(std::int64_t channels, std::int64_t kernel);

// The layout of the network's input: rows in HWC layout, with the padding in memory. The padding of each side is the
// largest one that any convolution reading the input needs.
struct ImageLayout {
  Chw in;
  std::int64_t top = 0, left = 0;
  std::int64_t height = 0, width = 0;  // padded
  std::int64_t row_values() const { return width * in.c; }
  std::int64_t image_values() const { return height * row_values(); }
  // The floats of `images` images, and 16 more floats, which are zeros: copies of the last windows may read beyond the
  // last row.
  std::int64_t values(std::int64_t images) const { return images * image_values() + tensor::kBlock; }
  std::int64_t bytes(std::int64_t images) const { return values(images) * static_cast<std::int64_t>(sizeof(float)); }
};

struct GemmSource {
  DepthLayout depth;
  tensor::BlockedShape in;
  Chw out;  // of one image
  Window window;
  ImageLayout image;  // used only with DepthLayout::Source::image

  bool in_place() const { return depth.source == DepthLayout::Source::blocked; }
  std::int64_t scratch_bytes(std::int64_t pixels) const {
    return in_place() ? 0 : depth.gemm.segments * pixels * tensor::kBlock * static_cast<std::int64_t>(sizeof(float));
  }
};
// Returns the input for the output pixels [first, first + count) of `image`. If in_place(), the range may extend into
// the next images, and scratch is not used. Otherwise the function gathers the windows into scratch, which has
// scratch_bytes(count) bytes.
GemmInput gemm_input(const GemmSource& source, const float* in, std::int64_t image, std::int64_t first,
                     std::int64_t count, float* scratch) noexcept;

// Images in HWC layout without padding in memory, as in LibTorch's channels-last tensors.
struct RowSource {
  const float* data;
  std::int64_t images;
  Chw in, out;  // of one image
  Window window;
  std::int64_t depth() const { return window.kernel * window.kernel * in.c; }  // in the order ky, kx, channel
};
// Gathers the windows of the output pixels [first, first + count) of the batch into a blocked matrix with depth()
// channels. Its channel blocks are `block` floats apart. Padding lanes are set to zero.
void gather_rows(const RowSource& source, std::int64_t first, std::int64_t count, float* to, std::int64_t block);

}  // namespace effnet::primitives
