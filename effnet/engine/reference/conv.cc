// Convolution as a tiled GEMM. A tile is 64 output pixels x 32 output channels. For 64 weights at a time, the input
// values that they multiply are copied into 64 columns, and their products are added to the sums of all 32 channels. In
// float a tile has 16 KB of columns and 8 KB of sums, so it stays in L1. The inner loop adds the products of two
// channels x four weights: four column values are read for eight multiplications, and the values fit SSE2's 16
// registers. The innermost loops run over pixels and vectorise; the order of each sum does not change.
#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/engine/reference/ops.h"

namespace effnet::engine::reference {
namespace {

constexpr std::int64_t kPixels = 64;
constexpr std::int64_t kDepth = 64;
constexpr std::int64_t kChannels = 32;
constexpr std::int64_t kLanes = 8;  // pixels are padded to a multiple of this, so that loops have no tail

template <class Acc>
struct Tile {
  alignas(64) Acc columns[kDepth][kPixels];
  alignas(64) Acc sums[kChannels][kPixels];
};

bool depthwise(const ConvShape& shape) { return shape.groups == shape.in.c && shape.groups == shape.out.c; }

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return a > 0 ? (a + b - 1) / b : 0; }

// The output positions [first, last) along one axis for which the tap at `offset` (kernel index - padding) is inside
// the n input pixels.
struct Inside {
  std::int64_t first, last;
};
Inside inside(std::int64_t n, std::int64_t outputs, std::int64_t stride, std::int64_t offset) {
  const std::int64_t first = std::min(divide_up(-offset, stride), outputs);
  return {first, std::max(first, std::min(divide_up(n - offset, stride), outputs))};
}

// Fills one column: the input values that weight (channel, ky, kx) multiplies, for the output pixels [first, first +
// pixels) in row order.
template <class Acc>
void fill_column(const ConvShape& shape, const float* plane, std::int64_t ky, std::int64_t kx, std::int64_t first,
                 std::int64_t pixels, Acc* column) {
  const std::int64_t offset = kx - shape.padding.left;
  const Inside valid = inside(shape.in.w, shape.out.w, shape.stride, offset);
  std::int64_t done = 0;
  while (done < pixels) {
    const std::int64_t y = (first + done) / shape.out.w;
    const std::int64_t x = (first + done) % shape.out.w;
    const std::int64_t run = std::min(shape.out.w - x, pixels - done);
    const std::int64_t row = y * shape.stride + ky - shape.padding.top;
    const bool row_inside = row >= 0 && row < shape.in.h;
    const std::int64_t begin = row_inside ? std::clamp(valid.first - x, std::int64_t{0}, run) : run;
    const std::int64_t end = row_inside ? std::clamp(valid.last - x, begin, run) : run;
    Acc* const to = column + done;
    std::fill(to, to + begin, Acc{0});
    if (begin < end) {
      const float* const from = plane + row * shape.in.w + (x + begin) * shape.stride + offset;
      if (shape.stride == 1) {
        std::copy(from, from + (end - begin), to + begin);
      } else {
        for (std::int64_t j = 0; j < end - begin; ++j) to[begin + j] = from[j * shape.stride];
      }
    }
    std::fill(to + end, to + run, Acc{0});
    done += run;
  }
  std::fill(column + pixels, column + divide_up(pixels, kLanes) * kLanes, Acc{0});
}

// sums[r] += weights[r][d] * columns[d] for kRows channels and kTerms weights, in the order of d.
template <int kRows, int kTerms, class Acc>
void add_products(const float* weights, std::int64_t weight_stride, const Acc (*__restrict columns)[kPixels],
                  Acc (*__restrict sums)[kPixels], std::int64_t pixels) {
  Acc w[kRows][kTerms];
  for (int r = 0; r < kRows; ++r) {
    for (int d = 0; d < kTerms; ++d) w[r][d] = weights[r * weight_stride + d];
  }
  for (std::int64_t p = 0; p < pixels; ++p) {
    for (int r = 0; r < kRows; ++r) {
      Acc sum = sums[r][p];
      for (int d = 0; d < kTerms; ++d) sum += w[r][d] * columns[d][p];
      sums[r][p] = sum;
    }
  }
}

template <int kRows, class Acc>
void add_rows(const float* weights, std::int64_t weight_stride, std::int64_t depth, std::int64_t row,
              std::int64_t lanes, Tile<Acc>& tile) {
  constexpr int kTerms = 4;
  std::int64_t d = 0;
  for (; d + kTerms <= depth; d += kTerms) {
    add_products<kRows, kTerms>(weights + d, weight_stride, tile.columns + d, tile.sums + row, lanes);
  }
  for (; d < depth; ++d) {
    add_products<kRows, 1>(weights + d, weight_stride, tile.columns + d, tile.sums + row, lanes);
  }
}

// Tasks are numbered by (image, group, pixel tile, channel block); the last index changes fastest.
struct Tiles {
  std::int64_t channels, depth, blocks, tiles;
  explicit Tiles(const ConvShape& s)
      : channels(s.out.c / s.groups),
        depth(s.in.c / s.groups * s.kernel * s.kernel),
        blocks(divide_up(channels, kChannels)),
        tiles(divide_up(s.out.pixels(), kPixels)) {}
};

template <class Acc>
void dense_task(const ConvShape& shape, const float* in, const float* weight, const float* bias, float* out,
                std::int64_t task) {
  const Tiles tiles(shape);
  EFFNET_CHECK(tiles.blocks > 0 && tiles.tiles > 0);
  const std::int64_t block = task % tiles.blocks * kChannels;
  const std::int64_t first = task / tiles.blocks % tiles.tiles * kPixels;
  const std::int64_t image = task / tiles.blocks / tiles.tiles / shape.groups;
  const std::int64_t group = task / tiles.blocks / tiles.tiles % shape.groups;
  const std::int64_t rows = std::min(kChannels, tiles.channels - block);
  const std::int64_t pixels = std::min(kPixels, shape.out.pixels() - first);
  const std::int64_t lanes = divide_up(pixels, kLanes) * kLanes;
  const std::int64_t window = shape.kernel * shape.kernel;
  const float* const planes = in + (image * shape.in.c + group * (shape.in.c / shape.groups)) * shape.in.pixels();
  const std::int64_t channel = group * tiles.channels + block;  // of the first row of sums

  Tile<Acc> tile;
  for (std::int64_t r = 0; r < rows; ++r) std::fill(tile.sums[r], tile.sums[r] + lanes, Acc{0});
  for (std::int64_t begin = 0; begin < tiles.depth; begin += kDepth) {
    const std::int64_t depth = std::min(kDepth, tiles.depth - begin);
    for (std::int64_t d = 0; d < depth; ++d) {
      const std::int64_t tap = (begin + d) % window;
      fill_column(shape, planes + (begin + d) / window * shape.in.pixels(), tap / shape.kernel, tap % shape.kernel,
                  first, pixels, tile.columns[d]);
    }
    const float* const weights = weight + channel * tiles.depth + begin;
    std::int64_t r = 0;
    for (; r + 2 <= rows; r += 2) add_rows<2>(weights + r * tiles.depth, tiles.depth, depth, r, lanes, tile);
    if (r < rows) add_rows<1>(weights + r * tiles.depth, tiles.depth, depth, r, lanes, tile);
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const Acc add = bias != nullptr ? bias[channel + r] : Acc{0};
    float* const to = out + (image * shape.out.c + channel + r) * shape.out.pixels() + first;
    for (std::int64_t p = 0; p < pixels; ++p) to[p] = static_cast<float>(tile.sums[r][p] + add);
  }
}

// Computes one plane, row by row, in segments of 256 output pixels. Each tap is added to those pixels of the segment
// for which the tap is inside the input.
template <class Acc>
void depthwise_task(const ConvShape& shape, const float* in, const float* weight, const float* bias, float* out,
                    std::int64_t task) {
  constexpr std::int64_t kSegment = 256;
  const std::int64_t channel = task % shape.out.c;
  const float* const plane = in + task * shape.in.pixels();
  const float* const weights = weight + channel * shape.kernel * shape.kernel;
  const Acc add = bias != nullptr ? bias[channel] : Acc{0};
  alignas(64) Acc sums[kSegment];
  for (std::int64_t y = 0; y < shape.out.h; ++y) {
    for (std::int64_t segment = 0; segment < shape.out.w; segment += kSegment) {
      const std::int64_t width = std::min(kSegment, shape.out.w - segment);
      std::fill(sums, sums + width, Acc{0});
      for (std::int64_t ky = 0; ky < shape.kernel; ++ky) {
        const std::int64_t row = y * shape.stride + ky - shape.padding.top;
        if (row < 0 || row >= shape.in.h) continue;
        for (std::int64_t kx = 0; kx < shape.kernel; ++kx) {
          const std::int64_t offset = kx - shape.padding.left;
          const Inside valid = inside(shape.in.w, shape.out.w, shape.stride, offset);
          const std::int64_t begin = std::clamp(valid.first - segment, std::int64_t{0}, width);
          const std::int64_t count = std::clamp(valid.last - segment, begin, width) - begin;
          if (count == 0) continue;  // the address of `from` would be invalid
          const Acc w = weights[ky * shape.kernel + kx];
          const float* const from = plane + row * shape.in.w + (segment + begin) * shape.stride + offset;
          Acc* const to = sums + begin;
          if (shape.stride == 1) {
            for (std::int64_t j = 0; j < count; ++j) to[j] += w * Acc{from[j]};
          } else if (shape.stride == 2) {
            for (std::int64_t j = 0; j < count; ++j) to[j] += w * Acc{from[2 * j]};
          } else {
            for (std::int64_t j = 0; j < count; ++j) to[j] += w * Acc{from[shape.stride * j]};
          }
        }
      }
      float* const to = out + task * shape.out.pixels() + y * shape.out.w + segment;
      for (std::int64_t x = 0; x < width; ++x) to[x] = static_cast<float>(sums[x] + add);
    }
  }
}

}  // namespace

std::int64_t conv_tasks(const ConvShape& shape) noexcept {
  if (depthwise(shape)) return shape.batch * shape.out.c;
  const Tiles tiles(shape);
  return shape.batch * shape.groups * tiles.tiles * tiles.blocks;
}

std::int64_t conv_macs_per_task(const ConvShape& shape) noexcept {
  if (depthwise(shape)) return shape.out.pixels() * shape.kernel * shape.kernel;
  const Tiles tiles(shape);
  return std::min(kPixels, shape.out.pixels()) * std::min(kChannels, tiles.channels) * tiles.depth;
}

template <class Acc>
void conv(const ConvShape& shape, std::span<const float> in, std::span<const float> weight, std::span<const float> bias,
          std::span<float> out, std::int64_t begin, std::int64_t end) noexcept {
  const float* const biases = bias.empty() ? nullptr : bias.data();
  const auto run = depthwise(shape) ? depthwise_task<Acc> : dense_task<Acc>;
  for (std::int64_t task = begin; task < end; ++task) run(shape, in.data(), weight.data(), biases, out.data(), task);
}

template void conv<float>(const ConvShape&, std::span<const float>, std::span<const float>, std::span<const float>,
                          std::span<float>, std::int64_t, std::int64_t) noexcept;
template void conv<double>(const ConvShape&, std::span<const float>, std::span<const float>, std::span<const float>,
                           std::span<float>, std::int64_t, std::int64_t) noexcept;

}  // namespace effnet::engine::reference
