#include "effnet/layers/matrix.h"

#include <algorithm>

#include "effnet/primitives/gemm.h"

namespace effnet::layers {
namespace {

alignas(64) constexpr float kZeros[64] = {};

// Packs panels in parallel. `row` is passed to primitives::pack_panel(), which describes it.
template <class Row>
OwnedMatrix packed(const Context& context, std::int64_t channels, std::int64_t depth, const Row& row) {
  OwnedMatrix matrix{{channels, depth, context.kernels.base.tile}, {}};
  matrix.values.resize(static_cast<std::size_t>(matrix.shape.values()));
  context.loops.parallel(matrix.shape.panels(), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) primitives::pack_panel(matrix.shape, i, matrix.values.data(), row);
  });
  return matrix;
}

}  // namespace

OwnedMatrix pack(const Context& context, const float* weight, std::int64_t rows, std::int64_t columns) {
  return packed(context, rows, columns, [=](std::int64_t k, std::int64_t channel, std::int64_t count, float* to) {
    const float* const from = weight + channel * columns + k;
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * columns];
  });
}

OwnedMatrix pack_transposed(const Context& context, const float* weight, std::int64_t rows, std::int64_t columns) {
  return packed(context, columns, rows, [=](std::int64_t k, std::int64_t channel, std::int64_t count, float* to) {
    std::copy_n(weight + k * columns + channel, count, to);
  });
}

void gemm_panels(const Kernels& kernels, const Gemm& gemm, std::int64_t first_panel, std::int64_t last_panel) {
  primitives::GemmRun run{};
  run.input = {gemm.a, gemm.a_block};
  run.depth = primitives::depth_of_channels(gemm.matrix.shape.depth);
  run.out_block = gemm.out_block;
  run.prefetch.queue = gemm.prefetch;
  for (std::int64_t i = first_panel; i < last_panel; ++i) {
    run.panel = gemm.matrix.panel(i);
    run.bias = gemm.bias == nullptr ? kZeros : gemm.bias + run.panel.channel;
    const std::int64_t at = run.panel.channel / kBlock * gemm.out_block;
    run.out = gemm.out + at;
    run.residual = gemm.residual == nullptr ? nullptr : gemm.residual + at;
    primitives::gemm(kernels.base, kernels.schedule, run, gemm.pixels);
  }
}

void add_outer_product(const Kernels& kernels, BlockedPixels rows, std::int64_t row_channels, BlockedPixels columns,
                       std::int64_t column_channels, std::int64_t pixels, bool accumulate, float* to,
                       primitives::PrefetchQueue* prefetch) {
  const kernels::TrainingSet& set = kernels.training;
  const std::int64_t column_blocks = blocks_of(column_channels);
  for (std::int64_t c = 0; c < column_blocks;) {
    const std::int64_t wide = std::min(set.weight_blocks, column_blocks - c);
    for (std::int64_t r = 0; r < row_channels; r += set.weight_rows) {
      const float* const next = prefetch != nullptr ? prefetch->take(pixels) : nullptr;
      set.weight_gradient[wide - 1]({.a = rows.data + r / kBlock * rows.block + r % kBlock,
                                     .b = columns.data + c * columns.block,
                                     .b_block = columns.block,
                                     .to = to + (r * column_blocks + c) * kBlock,
                                     .to_row = column_blocks * kBlock,
                                     .pixels = pixels,
                                     .accumulate = accumulate,
                                     .prefetch_address = next != nullptr ? next : columns.data});
    }
    c += wide;
  }
}

void outer_product(const Context& context, const float* rows, std::int64_t row_channels, const float* columns,
                   std::int64_t column_channels, std::int64_t pixels, float* dw) {
  const std::int64_t width = padded(column_channels);
  context.loops.parallel(blocks_of(row_channels), [&](std::int64_t first, std::int64_t last, Scratch& scratch) {
    float* const sums = scratch.floats(kBlock * width);
    for (std::int64_t b = first; b < last; ++b) {
      const std::int64_t count = std::min(kBlock, row_channels - b * kBlock);
      add_outer_product(context.kernels, {rows + b * pixels * kBlock, pixels * kBlock}, count,
                        {columns, pixels * kBlock}, column_channels, pixels, false, sums);
      for (std::int64_t r = 0; r < count; ++r) {
        std::copy_n(sums + r * width, column_channels, dw + (b * kBlock + r) * column_channels);
      }
    }
  });
}

}  // namespace effnet::layers
