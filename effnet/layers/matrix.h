// Packed matrices of a layer's weights, and GEMM over whole blocked tensors that are small.
#pragma once

#include <cstdint>
#include <vector>

#include "effnet/layers/layout.h"
#include "effnet/primitives/packed_matrix.h"
#include "effnet/primitives/prefetch_queue.h"

namespace effnet::layers {

// A packed matrix with its memory.
struct OwnedMatrix {
  primitives::PackedShape shape;
  std::vector<float> values;
  primitives::PackedMatrix view() const { return {values.data(), shape}; }
};
// Of weights [rows][columns] as PyTorch stores them: `pack` for x * W^T (channels: rows), `pack_transposed` for x * W
// (channels: columns).
OwnedMatrix pack(const Context& context, const float* weight, std::int64_t rows, std::int64_t columns);
OwnedMatrix pack_transposed(const Context& context, const float* weight, std::int64_t rows, std::int64_t columns);

// out = bias + a * matrix [+ residual]. a and out are blocked, their blocks a_block and out_block floats apart; out
// begins with the matrix's first channel.
struct Gemm {
  const float* a;
  std::int64_t a_block;
  primitives::PackedMatrix matrix;
  const float* bias = nullptr;  // null: 0; else padded(channels)
  float* out;
  std::int64_t out_block;
  std::int64_t pixels;
  const float* residual = nullptr;  // null, or laid out as `out` is
  primitives::PrefetchQueue* prefetch = nullptr;
};
// The output channels of panels [first_panel, last_panel), or all of them, on the calling thread.
void gemm_panels(const Kernels& kernels, const Gemm& gemm, std::int64_t first_panel, std::int64_t last_panel);
inline void gemm_all(const Kernels& kernels, const Gemm& gemm) { gemm_panels(kernels, gemm, 0, gemm.matrix.panels()); }

// Some pixels of a blocked tensor: block b at data + b * block.
struct Pixels {
  const float* data;
  std::int64_t block;
};
// to[r][c] (+)= sum over pixels of rows[p][r] * columns[p][c], on the calling thread; `to` is
// [padded(row_channels)][padded(column_channels)].
void add_outer_product(const Kernels& kernels, Pixels rows, std::int64_t row_channels, Pixels columns,
                       std::int64_t column_channels, std::int64_t pixels, bool accumulate, float* to,
                       primitives::PrefetchQueue* prefetch = nullptr);
// dw[r][c] = sum over pixels of rows[p][r] * columns[p][c], both blocked over `pixels`; for few pixels.
void outer_product(const Context& context, const float* rows, std::int64_t row_channels, const float* columns,
                   std::int64_t column_channels, std::int64_t pixels, float* dw);

}  // namespace effnet::layers
