// Gathering and multiplying: what the product and depthwise steps share.
#include <algorithm>
#include <array>
#include <cstring>

#include "effnet/engine/step.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kShortRun = 112;  // pixels: as many as a panel of weights is worth fetching over

constexpr auto kOffsets = [] {  // of pixels that lie one after the other
  std::array<std::int32_t, 16> offsets{};
  for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = static_cast<std::int32_t>(i) * 16;
  return offsets;
}();

// Calls body(y, x, run, done) for the rows that output pixels [first, first + count) lie in.
template <class Body>
void over_rows(std::int64_t width, std::int64_t first, std::int64_t count, Body body) {
  std::int64_t y = first / width;
  std::int64_t x = first % width;
  for (std::int64_t done = 0; done < count; x = 0, ++y) {
    const std::int64_t run = std::min(width - x, count - done);
    body(y, x, run, done);
    done += run;
  }
}

void gather_image(const Source& source, const float* in, std::int64_t first, std::int64_t count, float* to) {
  const Depth& depth = source.depth;
  const std::int64_t step = source.window.stride * source.image.in.c;
  // The picture's padding in memory may be more than this convolution's.
  const std::int64_t top = source.image.top - source.window.top;
  in += (source.image.left - source.window.left) * source.image.in.c;
  over_rows(source.out.w, first, count, [&](std::int64_t y, std::int64_t x, std::int64_t run, std::int64_t done) {
    for (std::int64_t segment = 0; segment < depth.segments; ++segment) {
      const std::int64_t row = top + y * source.window.stride + segment / depth.parts;
      const float* from = in + row * source.image.row_floats() + x * step + segment % depth.parts * depth.depth;
      float* at = to + (segment * count + done) * kBlock;
      // Sixteen floats whatever the depth: constant size, and what is beyond is not used.
      for (std::int64_t i = 0; i < run; ++i, from += step, at += kBlock) std::memcpy(at, from, kBlock * sizeof(float));
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

void gather_window(const Source& source, const float* in, std::int64_t image, std::int64_t first, std::int64_t count,
                   float* to) {
  const Depth& depth = source.depth;
  const Window& window = source.window;
  const Chw& chw = source.in.chw;
  const std::int64_t step = window.stride * kBlock;
  const std::int64_t pieces = kBlock / depth.depth;  // of a block
  for (std::int64_t segment = 0; segment < depth.segments; ++segment) {
    const std::int64_t tap = segment / depth.parts;
    const std::int64_t piece = segment % depth.parts;
    const std::int64_t dy = tap / window.kernel - window.top;
    const std::int64_t dx = tap % window.kernel - window.left;
    const float* const block =
        in + piece / pieces * source.in.block_floats() + image * chw.pixels() * kBlock + piece % pieces * depth.depth;
    // Output columns whose tap lies inside the picture.
    const std::int64_t from_x = dx >= 0 ? 0 : (-dx + window.stride - 1) / window.stride;
    const std::int64_t to_x = chw.w - dx <= 0 ? 0 : (chw.w - dx + window.stride - 1) / window.stride;
    over_rows(source.out.w, first, count, [&](std::int64_t y, std::int64_t x, std::int64_t run, std::int64_t done) {
      float* const at = to + (segment * count + done) * kBlock;
      const std::int64_t row = y * window.stride + dy;
      if (row < 0 || row >= chw.h) return zero_pixels(run, at);
      const std::int64_t begin = std::clamp(from_x - x, std::int64_t{0}, run);
      const std::int64_t end = std::clamp(to_x - x, begin, run);
      zero_pixels(begin, at);
      const float* const pixel = block + (row * chw.w + (x + begin) * window.stride + dx) * kBlock;
      if (depth.depth == kBlock) {
        copy_pixels<kBlock>(pixel, step, end - begin, at + begin * kBlock);
      } else {
        copy_pixels<8>(pixel, step, end - begin, at + begin * kBlock);
      }
      zero_pixels(run - end, at + end * kBlock);
    });
  }
}

}  // namespace

SourceView view_of(const Source& source, const float* in, std::int64_t image, std::int64_t first, std::int64_t count,
                   float* scratch) noexcept {
  switch (source.depth.source) {
    case Depth::Source::blocked:
      return {in + (image * source.in.chw.pixels() + first) * kBlock, source.in.block_floats()};
    case Depth::Source::image:
      gather_image(source, in + image * source.image.image_floats(), first, count, scratch);
      break;
    case Depth::Source::window:
      gather_window(source, in, image, first, count, scratch);
      break;
  }
  return {scratch, count * kBlock};
}

void multiply(const Context& context, const TileRun& run, std::int64_t pixels) noexcept {
  kernels::ProductArgs args{};
  args.a_segment = run.input.a_segment;
  args.segments = run.depth.segments;
  args.depth = run.depth.depth;
  args.last_depth = run.depth.last_depth;
  args.weight = run.weight;
  args.bias = run.bias;
  args.out_block = run.out_block;
  args.low = run.activated.low;
  args.high = run.activated.high;
  // What is fetched ahead of its use: over a short run the next tile of weights, spread evenly (7 x 7 pixels with
  // weights in L3: 104 -> 113 GFLOP/s; in bursts it costs more than it brings); over a long one the next pixels, since
  // a segment's run of them is too short for the processor's own prefetcher.
  const std::int64_t height = context.set.heights[context.set.first_height(run.lanes)];
  const std::int64_t tiles = (pixels + height - 1) / height;
  const bool ahead_is_weight = run.next_weight != nullptr && pixels <= kShortRun;
  if (ahead_is_weight) {
    args.ahead = run.next_weight;
    args.ahead_step = divide_up(run.lanes * context.set.ahead_every, tiles);
  } else {
    args.ahead_step = kBlock;
    args.ahead_segment = run.input.a_segment - run.depth.depth / context.set.ahead_every * kBlock;
  }
  const std::int64_t depth = run.depth.total();
  for (std::int64_t done = 0; done < pixels;) {
    const std::size_t tile = context.tiling.first(pixels - done, run.lanes);
    args.a = run.input.a + done * kBlock;
    const std::int64_t shift = run.offsets == nullptr ? done * kBlock : 0;
    args.out = run.out + shift;
    args.residual = run.residual == nullptr ? nullptr : run.residual + shift;
    args.offsets = run.offsets == nullptr ? kOffsets.data() : run.offsets + done;
    if (!ahead_is_weight) args.ahead = args.a + context.set.heights[tile] * kBlock;
    context.set.product(tile, run.lanes, run.activated.epilogue)(args);
    if (ahead_is_weight) args.ahead += depth / context.set.ahead_every * args.ahead_step;
    done += context.set.heights[tile];
  }
}

}  // namespace effnet::engine
