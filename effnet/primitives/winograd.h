// Winograd's F(2x2, 3x3) over images in channel blocks: a dense 3x3 convolution with stride 1 as a GEMM for each of
// 16 positions of transformed tiles, with 2.25 times fewer multiplications. Tiles of 2x2 outputs are numbered row by
// row, image by image.
#pragma once

#include <cstdint>
#include <span>

#include "effnet/primitives/gemm.h"
#include "effnet/tensor/blocked.h"

namespace effnet::primitives {

inline constexpr std::int64_t kWinogradPositions = 16;

// G g G^T of weights [shape.channels][shape.depth][3][3], each times its channel's scale, computed in double: a packed
// matrix of `shape` for each position, one after the other.
void pack_winograd(const PackedShape& shape, std::span<const float> weight, std::span<const double> scale, float* to);

struct WinogradTiles {
  tensor::BlockedShape in, out;
  std::int64_t top = 0, left = 0;  // padding before the first row and column
  std::int64_t across() const { return (out.chw.w + 1) / 2; }
  std::int64_t down() const { return (out.chw.h + 1) / 2; }
  std::int64_t count() const { return out.images * across() * down(); }
};

// Tiles [first, first + count) of the input to [position][block][tile][16]. `zeros`: a row of the input.
void winograd_input(const kernels::KernelSet& set, const WinogradTiles& tiles, const float* in, const float* zeros,
                    std::int64_t first, std::int64_t count, float* to) noexcept;

// From the products of one channel block of the output, of which position i begins at in + i * position, [tile][16].
struct WinogradOutput {
  const float* in;
  std::int64_t position;  // floats
  const float* bias;      // [16]
  primitives::EpilogueParams activation;
  float* out;             // the channel block's first pixel
  const float* residual;  // null, or laid out as `out` is
};
void winograd_output(const kernels::KernelSet& set, const WinogradTiles& tiles, const WinogradOutput& output,
                     std::int64_t first, std::int64_t count) noexcept;

}  // namespace effnet::primitives
