#include "effnet/layers/chunked_gemm.h"

#include <algorithm>
#include <memory>

namespace effnet::layers {
namespace {

using primitives::PrefetchQueue;

void add_reads(const GemmOperand& operand, const Chunk& chunk, std::int64_t batch_block, PrefetchQueue& prefetch) {
  for (std::int64_t b = 0; b < operand.blocks; ++b) {
    for (const float* const tensor : operand.reads)
      prefetch.add(tensor + b * batch_block + chunk.first * kBlock, chunk.pixels);
  }
}

}  // namespace

GemmOperand stored_operand(const Partition& parts, const float* tensor) {
  return {[tensor, block = parts.total_pixels() * kBlock](const Chunk& chunk, float*, std::int64_t) {
    return BlockedPixels{tensor + chunk.first * kBlock, block};
  }};
}

GemmOperand norm_gradient_operand(const Kernels& kernels, const Partition& parts, const float* y, const float* dz,
                                  const BatchNormGradient& norm, std::int64_t channels) {
  const std::int64_t blocks = blocks_of(channels), batch_block = parts.total_pixels() * kBlock;
  return {[=, &kernels, &norm](const Chunk& chunk, float* panel, std::int64_t panel_block) {
            for (std::int64_t b = 0; b < blocks; ++b) {
              const std::int64_t at = b * batch_block + chunk.first * kBlock, channel = b * kBlock;
              kernels.training.gradient(y + at,
                                        {.d = dz + at,
                                         .factor = norm.c0.data() + channel,
                                         .mean = nullptr,
                                         .c1 = norm.c1.data() + channel,
                                         .c2 = norm.c2.data() + channel,
                                         .out = panel + b * panel_block,
                                         .out_step = kBlock},
                                        chunk.pixels);
            }
            return BlockedPixels{panel, panel_block};
          },
          blocks,
          {y, dz}};
}

void gemm_forward(const Context& context, const Partition& parts, LoopOrder order, const OwnedMatrix& weight,
                  const GemmOperand& x, float* y, primitives::ChannelMoments* moments) {
  const std::int64_t depth = weight.shape.depth, channels = weight.shape.channels;
  const std::int64_t block = parts.total_pixels() * kBlock, panel_block = parts.longest_chunk * kBlock;
  const auto chunks = static_cast<std::int64_t>(parts.chunks.size());
  context.loops.parallel(chunks, order, [&](std::int64_t first, std::int64_t last, Scratch& scratch) {
    const auto chunk_at = [&](std::int64_t i) -> const Chunk& {
      return parts.chunks[static_cast<std::size_t>(ordered_index(order, first, last, i))];
    };
    float* const panel = scratch.floats(blocks_of(depth) * panel_block);
    PrefetchQueue prefetch;
    for (std::int64_t i = 0; i < last - first; ++i) {
      const Chunk& chunk = chunk_at(i);
      const BlockedPixels from = x.make(chunk, panel, panel_block);
      prefetch.clear();
      if (i + 1 < last - first) add_reads(x, chunk_at(i + 1), block, prefetch);
      gemm_all(context.kernels, {.a = from.data,
                                 .a_block = from.block,
                                 .matrix = weight.view(),
                                 .out = y + chunk.first * kBlock,
                                 .out_block = block,
                                 .pixels = chunk.pixels,
                                 .prefetch = &prefetch});
      for (std::int64_t s = chunk.segment; moments != nullptr && s < chunk.segment + chunk.segments; ++s) {
        const Segment& segment = parts.segments[static_cast<std::size_t>(s)];
        for (std::int64_t b = 0; b < blocks_of(channels); ++b) {
          moments->take(context.kernels.training, s, b, y + b * block + segment.first * kBlock, segment.pixels);
        }
      }
    }
  });
}

void gemm_backward(const Context& context, const Partition& parts, const GemmBackward& gemm, float* dw) {
  const std::int64_t in = gemm.in_channels, out = gemm.out_channels;
  const std::int64_t panel_block = parts.longest_chunk * kBlock, batch_block = parts.total_pixels() * kBlock;
  const std::int64_t in_floats = blocks_of(in) * panel_block, out_floats = blocks_of(out) * panel_block;
  // The wider of in and out runs along vector lanes. Each group of chunks has its own partial sums.
  const bool rows_are_out = in >= out;
  const std::int64_t rows = rows_are_out ? out : in, columns = rows_are_out ? in : out;
  const std::int64_t size = padded(rows) * padded(columns);
  const auto chunks = static_cast<std::int64_t>(parts.chunks.size());
  const std::int64_t groups = std::min(chunks, std::clamp<std::int64_t>((1 << 19) / size, 4, 16));
  const std::shared_ptr<float> memory = context.workspace.floats(groups * size);
  float* const partial = memory.get();
  context.loops.parallel(groups, [&](std::int64_t first_group, std::int64_t last_group, Scratch& scratch) {
    float* const dy_panel = scratch.floats(out_floats + in_floats);
    float* const x_panel = dy_panel + out_floats;
    PrefetchQueue prefetch;
    for (std::int64_t group = first_group; group < last_group; ++group) {
      const std::int64_t begin = group * chunks / groups, end = (group + 1) * chunks / groups;
      for (std::int64_t i = begin; i < end; ++i) {
        const Chunk& chunk = parts.chunks[static_cast<std::size_t>(i)];
        const BlockedPixels dy = gemm.dy.make(chunk, dy_panel, panel_block);
        prefetch.clear();
        if (i + 1 < end) {
          const Chunk& next = parts.chunks[static_cast<std::size_t>(i + 1)];
          add_reads(gemm.dy, next, batch_block, prefetch);
          add_reads(gemm.x, next, batch_block, prefetch);
        }
        if (gemm.dx != nullptr) {
          const std::int64_t at = chunk.first * kBlock;
          gemm_all(context.kernels, {.a = dy.data,
                                     .a_block = dy.block,
                                     .matrix = gemm.weight.view(),
                                     .out = gemm.dx + at,
                                     .out_block = batch_block,
                                     .pixels = chunk.pixels,
                                     .residual = gemm.residual == nullptr ? nullptr : gemm.residual + at,
                                     .prefetch = &prefetch});
        }
        const BlockedPixels x = gemm.x.make(chunk, x_panel, panel_block);
        add_outer_product(context.kernels, rows_are_out ? dy : x, rows, rows_are_out ? x : dy, columns, chunk.pixels,
                          i > begin, partial + group * size, &prefetch);
      }
    }
  });
  context.loops.parallel(rows, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t r = first; r < last; ++r) {
      float* const sum = partial + r * padded(columns);
      for (std::int64_t group = 1; group < groups; ++group) {
        for (std::int64_t c = 0; c < columns; ++c) sum[c] += sum[group * size + c];
      }
      for (std::int64_t c = 0; c < columns; ++c) dw[rows_are_out ? r * in + c : c * in + r] = sum[c];
    }
  });
}

std::vector<double> sum_segments(const Context& context, const Partition& parts, std::int64_t floats,
                                 const std::function<void(const Segment& segment, Scratch& scratch, float* sums)>& add,
                                 const std::function<double(std::int64_t image)>& factor) {
  const auto segments = static_cast<std::int64_t>(parts.segments.size());
  std::vector<float> sums(static_cast<std::size_t>(segments * floats));
  context.loops.parallel(segments, [&](std::int64_t first, std::int64_t last, Scratch& scratch) {
    for (std::int64_t i = first; i < last; ++i) {
      add(parts.segments[static_cast<std::size_t>(i)], scratch, sums.data() + i * floats);
    }
  });
  std::vector<double> totals(static_cast<std::size_t>(floats));
  for (std::int64_t i = 0; i < segments; ++i) {
    const double weight = factor ? factor(parts.segments[static_cast<std::size_t>(i)].image) : 1;
    const float* const part = sums.data() + i * floats;
    for (std::size_t j = 0; j < totals.size(); ++j) totals[j] += weight * part[j];
  }
  return totals;
}

}  // namespace effnet::layers
