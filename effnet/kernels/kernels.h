// The engine's kernels, one table an instruction set: it feeds the plan, the tests and the benchmarks, so a kernel
// cannot be forgotten by one of them. Kernels are noexcept, allocate nothing and check nothing. Activations are
// blocked (tensor/blocked.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "effnet/kernels/target.h"
#include "effnet/tensor/blocked.h"

namespace effnet::kernels {

using tensor::blocked_floats;
using tensor::blocks_of;
using tensor::kAlignment;
using tensor::kBlock;
using tensor::lanes_of;

// What a kernel does to a value before it is stored. relu, relu6 and none are clamps by `low` and `high`.
enum class Epilogue { clamp, silu, hard_swish };
inline constexpr int kEpilogues = 3;

// ---- Product: a tile of P pixels x N output channels of a 1x1 convolution (or of any convolution whose input was
// gathered): out[p][n] = epilogue(bias[n] + sum over k of a[p][k] * weight[k][n] + residual[p][n]).
// The input is cut into segments (channel blocks, or rows of a window): k runs over `depth` contiguous floats of each
// segment, over `last_depth` of the last. Pixel p's floats begin 16 * p after pixel 0's.
struct GemmArgs {
  const float* a;
  std::int64_t a_segment;  // floats from one segment to the next
  std::int64_t segments;   // at least 1
  std::int64_t depth;      // 1..16
  std::int64_t last_depth;
  const float* weight;  // [k][N]
  const float* bias;    // [N]
  // What to fetch from memory meanwhile, a hint: with every k (or as KernelSet::ahead_every says) the line at `ahead`,
  // which then moves by ahead_step floats, and by ahead_segment more with every segment. Any address will do.
  const float* ahead;
  std::int64_t ahead_step, ahead_segment;
  float* out;  // pixel p of channel block b at out + b * out_block + offsets[p]
  std::int64_t out_block;
  const std::int32_t* offsets;
  const float* residual;  // null, or addressed as `out` is
  float low, high;        // Epilogue::clamp
};
using GemmFn = void (*)(const GemmArgs&) noexcept;

// ---- Depthwise: one output row of one channel block. rows[ky] points at the first input pixel of the first output's
// window, in a row that is wide enough for the last one's (padding is zeros in memory); rows out of the image point
// at zeros. out[x][c] = epilogue(bias[c] + sum over ky, kx of rows[ky][(x * stride + kx) * 16 + c] * weight[..][c]).
struct DepthwiseArgs {
  const float* const* rows;  // kernel pointers
  const float* weight;       // [ky * kernel + kx][16]
  const float* bias;         // [16]
  float* out;                // 16 floats a pixel
  std::int64_t width;        // outputs, at least 1
  float* sums;               // null, or 16: the row's outputs are added to it, from left to right
  float low, high;
};
using DepthwiseFn = void (*)(const DepthwiseArgs&) noexcept;

// ---- Depthwise with stride 1, two output rows at once, by Winograd's algorithm down the columns; for kernels 3 and 5.
// With the weights g[ky] of a column, the packed ones are g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2, and for 5
// also g3, g3 + g4, g4.
struct DepthwisePairArgs {
  const float* const* rows;  // kernel + 1 pointers, as above
  const float* weight;       // [position][kx][16]
  const float* bias;         // [16]
  float* out[2];             // the second may be null
  std::int64_t width;
  float* sums;  // null, or 16: sums + the first row's outputs from left to right + (0 + the second row's)
  float low, high;
};
using DepthwisePairFn = void (*)(const DepthwisePairArgs&) noexcept;
constexpr std::int64_t depthwise_pair_positions(std::int64_t kernel) { return kernel == 3 ? 4 : 7; }

// ---- Windows: one output pixel row of one channel block of a pool. Taps outside of the image do not count.
struct PoolArgs {
  const float* in;  // the block's image: in[(y * in_w + x) * 16]
  float* out;       // the row's first pixel
  std::int64_t in_h, in_w, out_w;
  std::int64_t top, left;  // input row and column of the first output's first tap; may be negative
  std::int64_t kernel, stride;
  bool count_padding;  // average: divide by kernel * kernel, or by the valid taps
};
using PoolFn = void (*)(const PoolArgs&) noexcept;

// ---- Elementwise over `pixels` pixels of one channel block, all 16 lanes: epilogue(a * scale + shift + b).
struct MapArgs {
  const float* a;
  const float* b;      // null: nothing
  const float* scale;  // null: 1; else [16]
  const float* shift;  // null: 0; else [16]
  float* out;          // may be a or b
  std::int64_t pixels;
  float low, high;
};
using MapFn = void (*)(const MapArgs&) noexcept;

// ---- Winograd F(2x2, 3x3): a 3x3 convolution with stride 1 makes 2x2 outputs of 4x4 inputs by 16 products instead of
// 36. Position i of a transformed tile t lies at i * position + t * 16.
struct WinogradInputArgs {
  const float* rows[4];  // of the block's image, or zeros
  std::int64_t width;    // pixels beyond it, and before 0, are zeros
  std::int64_t x;        // column of the first tile's first input; may be negative. Tiles are two columns apart
  std::int64_t tiles;
  float* out;
  std::int64_t position;
};
struct WinogradOutputArgs {
  const float* in;
  std::int64_t position;
  std::int64_t tiles;
  const float* bias;         // [16]
  float* rows[2];            // of the block's image, at the first tile; null beyond its last row
  const float* residual[2];  // null, or as `rows`
  std::int64_t width;        // outputs from the first tile to the row's end
  float low, high;
};

struct KernelSet {
  Target target;
  // Products. Packed weights are cut into tiles of `tile` output channels; the last has 8, 16, 24 or 32 (at most
  // `tile`) channels. heights: the P there are, largest first, ending with 1.
  std::int64_t tile;
  std::span<const int> heights;
  // The first of heights that a tile of `lanes` channels has: tiles of 8 may be higher than others.
  std::size_t first_height(std::int64_t lanes) const;
  std::size_t wide_heights;      // the first for more than 8
  std::int64_t tallest() const;  // of these: runs of pixels are best a multiple of it
  std::int64_t cascade_pixels;   // of a product in a row cascade, at least: some full tiles
  std::int64_t cache_bytes;      // the second-level cache that runs of pixels are cut for: of a usual CPU with this set
  std::int64_t ahead_every;      // a product fetches a line with every k, or with every second
  // p indexes heights, from first_height(lanes) on; lanes is a multiple of 8 up to `tile`.
  GemmFn product(std::size_t p, std::int64_t lanes, Epilogue epilogue) const;

  // Null unless kernel is 3, 5 or 7 and stride 1 or 2. half: 8 lanes instead of 16.
  DepthwiseFn depthwise(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const;

  // Null where the set has none, or unless kernel is 3 or 5 and stride 1.
  DepthwisePairFn depthwise_pair(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const;

  // Any kernel and stride, all 16 lanes; for what depthwise() has none.
  void (*depthwise_any[kEpilogues])(const DepthwiseArgs&, std::int64_t kernel, std::int64_t stride) noexcept;

  PoolFn max_pool, average_pool;
  MapFn map[kEpilogues];
  MapFn sigmoid;  // sigmoid(a * scale + shift + b)
  // sums[16] += pixels of one block, in order.
  void (*sum)(const float* in, std::int64_t pixels, float* sums) noexcept;
  void (*winograd_input)(const WinogradInputArgs&) noexcept;
  void (*winograd_output[kEpilogues])(const WinogradOutputArgs&) noexcept;
  // to[k][n] = from[k][n] * scale[k]: a tile of packed weights with the channel scale of one image folded in.
  void (*scale_rows)(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to) noexcept;

  // Whether depthwise_pair() is faster in a network than depthwise() for a row of `width` outputs; null: never.
  bool (*pairs_pay)(std::int64_t kernel, std::int64_t width, Epilogue epilogue) noexcept;

  // `steps` multiply-adds of every lane of peak_chains independent vectors, on registers (peak.h). values: [chain][16].
  void (*peak_loop)(std::int64_t steps, float* values) noexcept;
  std::int64_t peak_chains;

  // The tables behind product() and depthwise().
  std::span<const GemmFn> products;                  // [heights][tile / 8][kEpilogues]
  std::span<const DepthwiseFn> depthwises;           // [3 kernels][2 strides][2 halves][kEpilogues]
  std::span<const DepthwisePairFn> depthwise_pairs;  // [2 kernels][2 halves][kEpilogues], or empty
};

// The table of a target that this program was built for. Its functions run on a CPU that has the instruction set
// (isa.h); the table can be read on any. Throws Error(internal) if there is none.
const KernelSet& kernel_set(const Target& target);

// "f32_product_14x32_silu_avx512", "f32_depthwise_k3s2x16_silu_avx512", "f32_depthwise_pair_k5s1x16_silu_avx512":
// dtype, op, tile, epilogue, set.
std::string gemm_name(const KernelSet& set, std::size_t p, std::int64_t lanes, Epilogue epilogue);
std::string depthwise_name(const KernelSet& set, std::int64_t kernel, std::int64_t stride, bool half,
                           Epilogue epilogue);
std::string depthwise_pair_name(const KernelSet& set, std::int64_t kernel, bool half, Epilogue epilogue);
std::string_view name(Epilogue epilogue);

}  // namespace effnet::kernels
