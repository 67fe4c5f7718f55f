#include "effnet/primitives/gather.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace effnet::primitives {
namespace {

using tensor::kBlock;

// Calls body(y, x, pixels, done) for each image row that contains some of the output pixels [first, first + count). The
// pixels of the range in this row are (y, x) to (y, x + pixels - 1); `done` pixels of the range are in earlier rows.
template <class Body>
void for_each_row(std::int64_t width, std::int64_t first, std::int64_t count, Body body) {
  std::int64_t y = first / width;
  std::int64_t x = first % width;
  for (std::int64_t done = 0; done < count; x = 0, ++y) {
    const std::int64_t pixels = std::min(width - x, count - done);
    body(y, x, pixels, done);
    done += pixels;
  }
}

void gather_image(const GemmSource& source, const float* in, std::int64_t first, std::int64_t count, float* to) {
  const DepthLayout& depth = source.depth;
  const std::int64_t step = source.window.stride * source.image.in.c;
  // The padding in memory may be larger than the padding of this convolution.
  const std::int64_t top = source.image.top - source.window.top;
  in += (source.image.left - source.window.left) * source.image.in.c;
  for_each_row(source.out.w, first, count, [&](std::int64_t y, std::int64_t x, std::int64_t pixels, std::int64_t done) {
    for (std::int64_t segment = 0; segment < depth.gemm.segments; ++segment) {
      const std::int64_t row = top + y * source.window.stride + segment / depth.segments_each;
      const float* from =
          in + row * source.image.row_values() + x * step + segment % depth.segments_each * depth.gemm.depth;
      float* at = to + (segment * count + done) * kBlock;
      // Always copies 16 floats, because a constant size is faster. Floats beyond the depth are not used.
      for (std::int64_t i = 0; i < pixels; ++i, from += step, at += kBlock)
        std::memcpy(at, from, kBlock * sizeof(float));
    }
  });
}

template <std::int64_t kFloats>
void copy_pixels(const float* from, std::int64_t step, std::int64_t count, float* to) {
  for (std::int64_t i = 0; i < count; ++i, from += step, to += kBlock) std::memcpy(to, from, kFloats * sizeof(float));
}

void zero_pixels(std::int64_t count, float* to) {
  if (count > 0) std::memset(to, 0, static_cast<std::size_t>(count * kBlock) * sizeof(float));
}

void gather_window(const GemmSource& source, const float* in, std::int64_t image, std::int64_t first,
                   std::int64_t count, float* to) {
  const DepthLayout& depth = source.depth;
  const Window& window = source.window;
  const Chw& chw = source.in.chw;
  const std::int64_t step = window.stride * kBlock;
  const std::int64_t each = kBlock / depth.gemm.depth;  // segments per channel block
  for (std::int64_t segment = 0; segment < depth.gemm.segments; ++segment) {
    const std::int64_t tap = segment / depth.segments_each;
    const std::int64_t part = segment % depth.segments_each;
    const std::int64_t dy = tap / window.kernel - window.top;
    const std::int64_t dx = tap % window.kernel - window.left;
    const float* const block =
        in + part / each * source.in.block_values() + image * chw.pixels() * kBlock + part % each * depth.gemm.depth;
    // Output columns [from_x, to_x) whose tap is inside the image.
    const std::int64_t from_x = dx >= 0 ? 0 : (-dx + window.stride - 1) / window.stride;
    const std::int64_t to_x = chw.w - dx <= 0 ? 0 : (chw.w - dx + window.stride - 1) / window.stride;
    for_each_row(source.out.w, first, count,
                 [&](std::int64_t y, std::int64_t x, std::int64_t pixels, std::int64_t done) {
                   float* const at = to + (segment * count + done) * kBlock;
                   const std::int64_t row = y * window.stride + dy;
                   if (row < 0 || row >= chw.h) return zero_pixels(pixels, at);
                   const std::int64_t begin = std::clamp(from_x - x, std::int64_t{0}, pixels);
                   const std::int64_t end = std::clamp(to_x - x, begin, pixels);
                   zero_pixels(begin, at);
                   const float* const pixel = block + (row * chw.w + (x + begin) * window.stride + dx) * kBlock;
                   if (depth.gemm.depth == kBlock) {
                     copy_pixels<kBlock>(pixel, step, end - begin, at + begin * kBlock);
                   } else {
                     copy_pixels<8>(pixel, step, end - begin, at + begin * kBlock);
                   }
                   zero_pixels(pixels - end, at + end * kBlock);
                 });
  }
}

}  // namespace

DepthLayout depth_of_image(std::int64_t channels, std::int64_t kernel) {
  const std::int64_t row = kernel * channels, each = (row + kBlock - 1) / kBlock, floats = (row + each - 1) / each;
  return {DepthLayout::Source::image, {kernel * each, floats, floats}, each};
}

DepthLayout depth_of_window(std::int64_t channels, std::int64_t kernel) {
  const std::int64_t floats = channels % kBlock == 0 ? kBlock : 8, each = tensor::lanes_of(channels) / floats;
  return {DepthLayout::Source::window, {kernel * kernel * each, floats, floats}, each};
}

GemmInput gemm_input(const GemmSource& source, const float* in, std::int64_t image, std::int64_t first,
                     std::int64_t count, float* scratch) noexcept {
  switch (source.depth.source) {
    case DepthLayout::Source::blocked:
      return {in + (image * source.in.chw.pixels() + first) * kBlock, source.in.block_values()};
    case DepthLayout::Source::image:
      gather_image(source, in + image * source.image.image_values(), first, count, scratch);
      break;
    case DepthLayout::Source::window:
      gather_window(source, in, image, first, count, scratch);
      break;
  }
  return {scratch, count * kBlock};
}

// Windows inside the image are copied in units of 16 floats, which may write more than a window row. The next row
// overwrites the surplus. A library call per row of 9 floats of a stem would take 2 % of B0's training step.
void gather_rows(const RowSource& source, std::int64_t first, std::int64_t count, float* to, std::int64_t block) {
  const Chw &in = source.in, &out = source.out;
  const std::int64_t k = source.window.kernel, depth = source.depth(), row_floats = k * in.c;
  const float* const end = source.data + source.images * in.numel();
  std::vector<float> window(static_cast<std::size_t>((tensor::blocks_of(depth) + 1) * kBlock));
  for (std::int64_t p = 0; p < count; ++p) {
    const std::int64_t pixel = first + p, image = pixel / out.pixels();
    const std::int64_t top = pixel / out.w % out.h * source.window.stride - source.window.top;
    const std::int64_t left = pixel % out.w * source.window.stride - source.window.left;
    const std::int64_t from_x = std::clamp<std::int64_t>(-left, 0, k), to_x = std::clamp(in.w - left, from_x, k);
    for (std::int64_t ky = 0; ky < k; ++ky) {
      float* const row = window.data() + ky * row_floats;
      const std::int64_t y = top + ky;
      if (y < 0 || y >= in.h) {
        std::fill_n(row, row_floats, 0.0F);
        continue;
      }
      const float* const from = source.data + ((image * in.h + y) * in.w + left + from_x) * in.c;
      if (to_x - from_x == k && from + tensor::blocks_of(row_floats) * kBlock <= end) {
        for (std::int64_t i = 0; i < row_floats; i += kBlock) std::copy_n(from + i, kBlock, row + i);
        continue;
      }
      std::fill_n(row, from_x * in.c, 0.0F);
      std::copy_n(from, (to_x - from_x) * in.c, row + from_x * in.c);
      std::fill_n(row + to_x * in.c, (k - to_x) * in.c, 0.0F);
    }
    std::fill_n(window.data() + depth, kBlock, 0.0F);
    for (std::int64_t b = 0; b < tensor::blocks_of(depth); ++b) {
      std::copy_n(window.data() + b * kBlock, kBlock, to + b * block + p * kBlock);
    }
  }
}

}  // namespace effnet::primitives
