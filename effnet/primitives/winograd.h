// Winograd's F(2x2, 3x3) for tensors with the blocked layout. A dense 3x3 convolution with stride 1 becomes one GEMM
// for each of the 16 positions of the transformed tiles, with 2.25 times fewer multiplications. The tiles of 2x2
// outputs are numbered row by row, image by image.
#pragma once

#include <cstdint>
#include <span>

#include "effnet/primitives/gemm.h"
#include "effnet/tensor/blocked.h"

namespace effnet::primitives {

inline constexpr std::int64_t kWinogradPositions = 16;

// Transforms each 3x3 window g of the weights [shape.channels][shape.depth][3][3] to G g G^T, times the scale of its
// output channel, in double. Writes 16 contiguous packed matrices of `shape`, one per position.
void pack_winograd(const PackedShape& shape, std::span<const float> weight, std::span<const double> scale, float* to);

struct WinogradTiles {
  tensor::BlockedShape in, out;
  std::int64_t top = 0, left = 0;  // padding before the first row and column
  std::int64_t across() const { return (out.chw.w + 1) / 2; }
  std::int64_t down() const { return (out.chw.h + 1) / 2; }
  std::int64_t count() const { return out.images * across() * down(); }
};

// Transforms the input of the tiles [first, first + count) to [position][block][tile][16]. `zeros` points to zeros, at
// least as many as the floats of an input row of one channel block.
void winograd_input(const kernels::KernelSet& set, const WinogradTiles& tiles, const float* in, const float* zeros,
                    std::int64_t first, std::int64_t count, float* to) noexcept;

// Transforms the GEMM results of one channel block to outputs. The results of position i begin at in + i * position, as
// [tile][16].
struct WinogradOutput {
  const float* in;
  std::int64_t position;  // floats
  const float* bias;      // [16]
  primitives::EpilogueParams activation;
  float* out;             // the channel block's first pixel
  const float* residual;  // null, or addressed as `out` is
};
void winograd_output(const kernels::KernelSet& set, const WinogradTiles& tiles, const WinogradOutput& output,
                     std::int64_t first, std::int64_t count) noexcept;

}  // namespace effnet::primitives
