// Packed weights, GEMM over blocked tensors, and weight gradients of a GEMM.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/layers/layout.h"
#include "effnet/primitives/packed_matrix.h"
#include "effnet/primitives/prefetch_queue.h"

namespace effnet::layers {

// A packed matrix that owns its memory.
struct OwnedMatrix {
  primitives::PackedShape shape;
  std::vector<float> values;
  primitives::PackedMatrix view() const { return {values.data(), shape}; }
};
// Both functions pack weights W [rows][columns] (PyTorch's order). pack() is for x * W^T, whose output channels are W's
// rows; pack_transposed() is for x * W, whose output channels are W's columns.
OwnedMatrix pack(const Context& context, const float* weight, std::int64_t rows, std::int64_t columns);
OwnedMatrix pack_transposed(const Context& context, const float* weight, std::int64_t rows, std::int64_t columns);

// out = bias + a * matrix [+ residual]. a and out are blocked; a_block and out_block are the distances between their
// channel blocks in floats. `out` points to the matrix's first output channel.
struct Gemm {
  const float* a;
  std::int64_t a_block;
  primitives::PackedMatrix matrix;
  const float* bias = nullptr;  // padded(channels) floats; null: 0
  float* out;
  std::int64_t out_block;
  std::int64_t pixels;
  const float* residual = nullptr;  // in the layout of `out`; may be null
  primitives::PrefetchQueue* prefetch = nullptr;
};
// gemm_panels() computes the output channels of panels [first_panel, last_panel), gemm_all() those of all panels. Both
// run on the calling thread.
void gemm_panels(const Kernels& kernels, const Gemm& gemm, std::int64_t first_panel, std::int64_t last_panel);
inline void gemm_all(const Kernels& kernels, const Gemm& gemm) { gemm_panels(kernels, gemm, 0, gemm.matrix.panels()); }

// A range of pixels of a blocked tensor: channel block b begins at data + b * block.
struct BlockedPixels {
  const float* data;
  std::int64_t block;
};
// to[r][c] = sum over pixels p of rows[p][r] * columns[p][c], on the calling thread. With `accumulate` the sum is added
// to `to`. `to` has the shape [padded(row_channels)][padded(column_channels)].
void add_outer_product(const Kernels& kernels, BlockedPixels rows, std::int64_t row_channels, BlockedPixels columns,
                       std::int64_t column_channels, std::int64_t pixels, bool accumulate, float* to,
                       primitives::PrefetchQueue* prefetch = nullptr);
// dw[r][c] = sum over pixels p of rows[p][r] * columns[p][c]. rows and columns are blocked tensors of `pixels` pixels;
// dw has the shape [row_channels][column_channels]. Parallel over blocks of rows; meant for few pixels.
void outer_product(const Context& context, const float* rows, std::int64_t row_channels, const float* columns,
                   std::int64_t column_channels, std::int64_t pixels, float* dw);

}  // namespace effnet::layers
