// GEMM over the pixels of a batch, chunk by chunk: a chunk's input is made from raw convolution outputs and multiplied
// while it is in cache, so that it is never written to memory.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "effnet/layers/batch_norm.h"
#include "effnet/layers/matrix.h"
#include "effnet/layers/partition.h"

namespace effnet::layers {

struct Source {
  // A chunk's pixels: made in `panel`, blocks panel_block apart, or where they lie already.
  std::function<Pixels(const Chunk& chunk, float* panel, std::int64_t panel_block)> make;
  // What make() reads of the chunk's pixels from memory: tensors of `blocks` blocks over all pixels.
  std::int64_t blocks = 0;
  std::vector<const float*> reads = {};
};
Source lies_in(const Partition& parts, const float* tensor);  // blocked over all pixels
// The gradient before a batch norm from dz behind it: c0 * dz + c1 * y + c2, both blocked over all pixels. All of it,
// as of the next one, must outlive the source.
Source before_norm(const Kernels& kernels, const Partition& parts, const float* y, const float* dz,
                   const NormGradient& norm, std::int64_t channels);

// A panel made by make(segment index, block, to) for every block of each of the chunk's segments.
template <class Make>
Source made_by_segment(const Partition& parts, std::int64_t blocks, std::vector<const float*> reads, Make make) {
  return {[=, &parts](const Chunk& chunk, float* panel, std::int64_t panel_block) {
            for (std::int64_t s = chunk.segment; s < chunk.segment + chunk.segments; ++s) {
              const std::int64_t at = (parts.segments[static_cast<std::size_t>(s)].first - chunk.first) * kBlock;
              for (std::int64_t b = 0; b < blocks; ++b) make(s, b, panel + b * panel_block + at);
            }
            return Pixels{panel, panel_block};
          },
          blocks, std::move(reads)};
}

// y = x * weight; y blocked over all pixels; moments of every segment unless null.
void gemm_forward(const Context& context, const Partition& parts, LoopOrder order, const OwnedMatrix& weight,
                  const Source& x, float* y, primitives::ChannelMoments* moments);

// dx = dy * W^T [+ residual] and dW = x^T dy, chunk by chunk. Order in a chunk: dy, dx, x, dW.
struct GemmBackward {
  std::int64_t in_channels, out_channels;
  Source dy, x;
  OwnedMatrix weight = {};          // packed for dx = dy * W; not read where dx is not wanted
  float* dx = nullptr;              // null: not wanted; else blocked over all pixels, as `residual` is
  const float* residual = nullptr;  // may be null
};
// dw: [out_channels][in_channels].
void gemm_backward(const Context& context, const Partition& parts, const GemmBackward& gemm, float* dw);

// Sums by segment and their total: add(segment, sums) adds to `floats` floats that are zero at first, on several
// threads; the segments' sums, each times factor(image), are added in order.
std::vector<double> sum_segments(const Context& context, const Partition& parts, std::int64_t floats,
                                 const std::function<void(const Segment& segment, Scratch& scratch, float* sums)>& add,
                                 const std::function<double(std::int64_t image)>& factor = {});

}  // namespace effnet::layers
