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
// segment except the last one, and over `last_depth` floats of the last one. The pixels are 16 floats apart.
struct GemmArgs {
  const float* a;
  std::int64_t a_segment;  // floats from one segment to the next
  std::int64_t segments;   // at least 1
  std::int64_t depth;      // 1..16
  std::int64_t last_depth;
  const float* weight;  // [k][N]
  const float* bias;    // [N]
  // A hint for prefetching; any address is allowed. The kernel prefetches one cache line per
  // KernelSet::prefetch_interval values of k, starting at prefetch_address. After each line the address moves by
  // prefetch_step floats. After each segment it moves by another prefetch_segment_step floats.
  const float* prefetch_address;
  std::int64_t prefetch_step, prefetch_segment_step;
  float* out;  // pixel p of channel block b is at out + b * out_block + offsets[p]
  std::int64_t out_block;
  const std::int32_t* offsets;
  const float* residual;  // null, or addressed as `out` is
  float low, high;        // for Epilogue::clamp
};
using GemmFn = void (*)(const GemmArgs&) noexcept;

// ---- Depthwise: one output row of one channel block. rows[ky] points to the input row that window row ky covers, at
// the first pixel of the first output's window. Each input row has the pixels of all windows: padding columns are zeros
// in memory. For an input row outside the image, rows[ky] points to zeros.
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
// 3 and 5. The weights of one window column, from top to bottom, are g0, g1, g2 (and g3, g4). The packed weights, one
// per position, are g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2 and g2; for kernel 5 also g3, g3 + g4 and g4.
struct DepthwisePairArgs {
  const float* const* rows;  // kernel + 1 pointers to input rows, as in DepthwiseArgs
  const float* weight;       // [position][kx][16]
  const float* bias;         // [16]
  float* out[2];             // the second may be null
  std::int64_t width;
  // Null, or [16]: the outputs are added to it in this order: the first row's outputs from left to right, then the sum
  // of the second row's outputs, which is computed from left to right on its own.
  float* sums;
  float low, high;
};
using DepthwisePairFn = void (*)(const DepthwisePairArgs&) noexcept;
constexpr std::int64_t depthwise_pair_positions(std::int64_t kernel) { return kernel == 3 ? 4 : 7; }

// ---- Pools: one output row of one channel block. Taps outside the image are skipped.
struct PoolArgs {
  const float* in;  // one channel block of an image: in[(y * in_w + x) * 16]
  float* out;       // the first pixel of the output row
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
// multiplications instead of 36. A transformed tile has 16 positions. Position i of tile t begins at float i * position
// + t * 16.
struct WinogradInputArgs {
  const float* rows[4];  // four input rows of a channel block; zeros outside the image
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
  float* rows[2];            // two output rows, at the first tile; null if below the image
  const float* residual[2];  // null, or addressed as `rows` is
  std::int64_t width;        // number of outputs from the first tile to the row's end
  float low, high;
};

struct KernelSet {
  Target target;
  // GEMM. Packed weights consist of panels of `tile` output channels; the last panel has 8, 16, 24 or 32 channels (at
  // most `tile`). heights: the available tile heights P in pixels, largest first; the last one is 1.
  std::int64_t tile;
  std::span<const int> heights;
  // Returns the index of the largest height for tiles of `lanes` channels: tiles of 8 channels may be higher than wider
  // tiles.
  std::size_t first_height(std::int64_t lanes) const;
  std::size_t wide_heights;      // first_height() of tiles wider than 8 channels
  std::int64_t tallest() const;  // heights[wide_heights]; ranges of pixels should be multiples of it
  // The minimum number of pixels per GEMM, a few full tiles, in a step that computes only some rows of a convolution at
  // a time, because a depthwise convolution in the same step reads them (row ring).
  std::int64_t cascade_pixels;
  std::int64_t cache_bytes;        // size of L2 on a usual CPU with this set; limits the input of one range of pixels
  std::int64_t prefetch_interval;  // a GEMM prefetches one line per 1, 2 or 4 values of k
  // Returns a GEMM kernel. p is an index into heights and at least first_height(lanes). lanes is a multiple of 8 and at
  // most `tile`.
  GemmFn gemm(std::size_t p, std::int64_t lanes, Epilogue epilogue) const;

  // Returns null unless kernel is 3, 5 or 7 and stride is 1 or 2. half: the kernel computes 8 lanes instead of 16.
  DepthwiseFn depthwise(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const;

  // Returns null if the set has no such kernels, if kernel is neither 3 nor 5, or if stride is not 1.
  DepthwisePairFn depthwise_pair(std::int64_t kernel, std::int64_t stride, bool half, Epilogue epilogue) const;

  // For any kernel and stride, always 16 lanes. Used where depthwise() returns null.
  void (*depthwise_any[kEpilogues])(const DepthwiseArgs&, std::int64_t kernel, std::int64_t stride) noexcept;

  PoolFn max_pool, average_pool;
  MapFn map[kEpilogues];
  MapFn sigmoid;  // sigmoid(a * scale + shift + b)
  // Adds the pixels of one channel block to sums[16], in order.
  void (*sum)(const float* in, std::int64_t pixels, float* sums) noexcept;
  void (*winograd_input)(const WinogradInputArgs&) noexcept;
  void (*winograd_output[kEpilogues])(const WinogradOutputArgs&) noexcept;
  // to[k][n] = from[k][n] * scale[k]: multiplies a panel of packed weights by one image's scale of each input channel
  // (squeeze-and-excitation).
  void (*scale_rows)(const float* from, const float* scale, std::int64_t depth, std::int64_t lanes, float* to) noexcept;

  // Whether a network runs faster with depthwise_pair() than with depthwise() for a row of `width` outputs. Null if the
  // set has no pair kernels.
  bool (*pairs_are_faster)(std::int64_t kernel, std::int64_t width, Epilogue epilogue) noexcept;

  // Runs `steps` multiply-adds on every lane of peak_chains independent vectors in registers (peak.h). The initial and
  // final values are values[chain][16].
  void (*peak_loop)(std::int64_t steps, float* values) noexcept;
  std::int64_t peak_chains;

  // The tables that gemm(), depthwise() and depthwise_pair() read.
  std::span<const GemmFn> gemms;                     // [index into heights][lanes / 8 - 1][kEpilogues]
  std::span<const DepthwiseFn> depthwises;           // [kernel: 3, 5, 7][stride: 1, 2][lanes: 16, 8][kEpilogues]
  std::span<const DepthwisePairFn> depthwise_pairs;  // [kernel: 3, 5][lanes: 16, 8][kEpilogues], or empty
};

// Returns the kernel table of a target. Reading the table is safe on any CPU; calling its functions needs a CPU with
// the instruction set (isa.h). Throws Error(internal) if this program was built without the target.
const KernelSet& kernel_set(const Target& target);

// Return the name of a kernel, which consists of data type, operation, tile, epilogue and instruction set:
// "f32_gemm_14x32_silu_avx512", "f32_depthwise_k3s2x16_silu_avx512", "f32_depthwise_pair_k5s1x16_silu_avx512".
std::string gemm_name(const KernelSet& set, std::size_t p, std::int64_t lanes, Epilogue epilogue);
std::string depthwise_name(const KernelSet& set, std::int64_t kernel, std::int64_t stride, bool half,
                           Epilogue epilogue);
std::string depthwise_pair_name(const KernelSet& set, std::int64_t kernel, bool half, Epilogue epilogue);
std::string_view name(Epilogue epilogue);

}  // namespace effnet::kernels
