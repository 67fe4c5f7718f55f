// The engine's kernels: one table per instruction set. The plan, the tests and the benchmarks all read this table, so
// each of them covers every kernel. Kernels are noexcept, allocate nothing and check nothing. Activation tensors have
// the blocked layout (tensor/blocked.h).
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

// The function that a kernel applies to a value before it stores the value. relu, relu6 and none are clamps to
// [low, high].
enum class Epilogue { clamp, silu, hard_swish };
inline constexpr int kEpilogues = 3;

// ---- GEMM: a tile of P pixels x N output channels of a 1x1 convolution, or of any convolution whose input was
// gathered: out[p][n] = epilogue(bias[n] + sum over k of a[p][k] * weight[k][n] + residual[p][n]).
// The input consists of segments (channel blocks, or rows of a window). k runs over `depth` contiguous floats of each
// segment, and over `last_depth` floats of the last one. Pixel p begins 16 * p floats after pixel 0.
struct GemmArgs {
  const float* a;
  std::int64_t a_segment;  // floats from one segment to the next
  std::int64_t segments;   // at least 1
  std::int64_t depth;      // 1..16
  std::int64_t last_depth;
  const float* weight;  // [k][N]
  const float* bias;    // [N]
  // A prefetch hint; any address is allowed. The kernel prefetches one line per KernelSet::prefetch_interval values of
  // k, starting at prefetch_address. The address moves by prefetch_step floats after each line, and by
  // prefetch_segment_step floats more after each segment.
  const float* prefetch_address;
  std::int64_t prefetch_step, prefetch_segment_step;
  float* out;  // pixel p of channel block b is at out + b * out_block + offsets[p]
  std::int64_t out_block;
  const std::int32_t* offsets;
  const float* residual;  // null, or addressed as `out` is
  float low, high;        // for Epilogue::clamp
};
using GemmFn = void (*)(const GemmArgs&) noexcept;

// ---- Depthwise: one output row of one channel block. rows[ky] points to row ky of the first output's window, at its
// first input pixel. Each input row covers the windows of all outputs: its padding columns are zeros in memory. For a
// row outside the image, rows[ky] points to zeros.
// out[x][c] = epilogue(bias[c] + sum over ky, kx of rows[ky][(x * stride + kx) * 16 + c] * weight[..][c]).
struct DepthwiseArgs {
  const float* const* rows;  // `kernel` pointers
  const float* weight;       // [ky * kernel + kx][16]
  const float* bias;         // [16]
  float* out;                // 16 floats per pixel
  std::int64_t width;        // outputs, at least 1
  float* sums;               // null, or [16]: the row's outputs are added to it, from left to right
  float low, high;
};
using DepthwiseFn = void (*)(const DepthwiseArgs&) noexcept;

// ---- Depthwise with stride 1, two output rows at once, by Winograd's algorithm in the vertical direction; for kernels
// 3 and 5. g[ky] are the weights of one window column. The packed weights are g0, (g0 + g1 + g2) / 2,
// (g0 - g1 + g2) / 2 and g2; for kernel 5 also g3, g3 + g4 and g4.
struct DepthwisePairArgs {
  const float* const* rows;  // kernel + 1 pointers, as above
  const float* weight;       // [position][kx][16]
  const float* bias;         // [16]
  float* out[2];             // the second may be null
  std::int64_t width;
  float* sums;  // null, or [16]: sums + the first row's outputs from left to right + (0 + the second row's)
  float low, high;
};
using DepthwisePairFn = void (*)(const DepthwisePairArgs&) noexcept;
constexpr std::int64_t depthwise_pair_positions(std::int64_t kernel) { return kernel == 3 ? 4 : 7; }

// ---- Pools: one output row of one channel block. Taps outside the image are skipped.
struct PoolArgs {
  const float* in;  // the block's image: in[(y * in_w + x) * 16]
  float* out;       // the row's first pixel
  std::int64_t in_h, in_w, out_w;
  std::int64_t top, left;  // input row and column of the first output's first tap; may be negative
  std::int64_t kernel, stride;
  bool count_padding;  // average: divide by kernel * kernel (true), or by the number of taps inside the image (false)
};
using PoolFn = void (*)(const PoolArgs&) noexcept;

// ---- Elementwise over `pixels` pixels of one channel block, all 16 lanes: epilogue(a * scale + shift + b).
struct MapArgs {
  const float* a;
  const float* b;      // null: 0
  const float* scale;  // null: 1; else [16]
  const float* shift;  // null: 0; else [16]
  float* out;          // may be a or b
  std::int64_t pixels;
  float low, high;
};
using MapFn = void (*)(const MapArgs&) noexcept;

// ---- Winograd F(2x2, 3x3): a 3x3 convolution with stride 1 computes 2x2 outputs from 4x4 inputs with 16
// multiplications instead of 36. Position i of transformed tile t is at i * position + t * 16.
struct WinogradInputArgs {
  const float* rows[4];  // of the block's image, or zeros
  std::int64_t width;    // pixels of a row; columns outside [0, width) count as zeros
  std::int64_t x;        // column of the first tile's first input; may be negative. Tiles are 2 columns apart
  std::int64_t tiles;
  float* out;
  std::int64_t position;
};
struct WinogradOutputArgs {
  const float* in;
  std::int64_t position;
  std::int64_t tiles;
  const float* bias;         // [16]
  float* rows[2];            // of the block's image, at the first tile; null below the image's last row
  const float* residual[2];  // null, or addressed as `rows` is
  std::int64_t width;        // outputs from the first tile to the row's end
  float low, high;
};

struct KernelSet {
  Target target;
  // GEMM. Packed weights consist of panels of `tile` output channels; the last panel has 8, 16, 24 or 32 channels (at
  // most `tile`). heights: the available tile heights P in pixels, largest first; the last one is 1.
  std::int64_t tile;
  std::span<const int> heights;
  // Index of the largest height for a tile of `lanes` channels: tiles of 8 channels may be higher than wider ones.
  std::size_t first_height(std::int64_t lanes) const;
  std::size_t wide_heights;        // first_height() of tiles wider than 8 channels
  std::int64_t tallest() const;    // heights[wide_heights]: a range of pixels is best a multiple of it
  std::int64_t cascade_pixels;     // minimum number of pixels of a GEMM in a row cascade: a few full tiles
  std::int64_t cache_bytes;        // size of L2 on a usual CPU with this set; limits the input of one range of pixels
  std::int64_t prefetch_interval;  // a GEMM prefetches one line per so many values of k: 1, 2 or 4
  // p is an index into heights, at least first_height(lanes); lanes is a multiple of 8, at most `tile`.
  GemmFn gemm(std::size_t p, std::int64_t lanes, Epilogue epilogue) const;

  // Null unless kernel is 3, 5 or 7 and stride is 1 or 2. half: 8 lanes instead of 16.
  DepthwiseFn depthwise(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const;

  // Null if the set has no such kernels, or unless kernel is 3 or 5 and stride is 1.
  DepthwisePairFn depthwise_pair(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const;

  // Any kernel and stride, all 16 lanes; used where depthwise() returns null.
  void (*depthwise_any[kEpilogues])(const DepthwiseArgs&, std::int64_t kernel, std::int64_t stride) noexcept;

  PoolFn max_pool, average_pool;
  MapFn map[kEpilogues];
  MapFn sigmoid;  // sigmoid(a * scale + shift + b)
  // sums[16] += the pixels of one block, in order.
  void (*sum)(const float* in, std::int64_t pixels, float* sums) noexcept;
  void (*winograd_input)(const WinogradInputArgs&) noexcept;
  void (*winograd_output[kEpilogues])(const WinogradOutputArgs&) noexcept;
  // to[k][n] = from[k][n] * scale[k]: multiplies a panel of packed weights by the channel scale of one image.
  void (*scale_rows)(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to) noexcept;

  // Whether a network runs faster with depthwise_pair() than with depthwise() for a row of `width` outputs. Null if the
  // set has no pair kernels.
  bool (*pairs_are_faster)(std::int64_t kernel, std::int64_t width, Epilogue epilogue) noexcept;

  // `steps` multiply-adds on every lane of peak_chains independent vectors in registers (peak.h). values: [chain][16].
  void (*peak_loop)(std::int64_t steps, float* values) noexcept;
  std::int64_t peak_chains;

  // The tables that gemm(), depthwise() and depthwise_pair() read.
  std::span<const GemmFn> gemms;                     // [heights][tile / 8][kEpilogues]
  std::span<const DepthwiseFn> depthwises;           // [3 kernels][2 strides][2 halves][kEpilogues]
  std::span<const DepthwisePairFn> depthwise_pairs;  // [2 kernels][2 halves][kEpilogues], or empty
};

// The kernel table of a target. Reading the table is safe on any CPU; its functions need a CPU that has the instruction
// set (isa.h). Throws Error(internal) if this program was built without the target.
const KernelSet& kernel_set(const Target& target);

// "f32_gemm_14x32_silu_avx512", "f32_depthwise_k3s2x16_silu_avx512", "f32_depthwise_pair_k5s1x16_silu_avx512":
// data type, operation, tile, epilogue, instruction set.
std::string gemm_name(const KernelSet& set, std::size_t p, std::int64_t lanes, Epilogue epilogue);
std::string depthwise_name(const KernelSet& set, std::int64_t kernel, std::int64_t stride, bool half,
                           Epilogue epilogue);
std::string depthwise_pair_name(const KernelSet& set, std::int64_t kernel, bool half, Epilogue epilogue);
std::string_view name(Epilogue epilogue);

}  // namespace effnet::kernels
