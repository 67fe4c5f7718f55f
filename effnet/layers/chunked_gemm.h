// GEMM over the pixels of a batch, chunk by chunk. The operand of a chunk is computed from raw convolution outputs and
// multiplied while it is in the cache, so it is never written to memory.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "effnet/layers/batch_norm.h"
#include "effnet/layers/matrix.h"
#include "effnet/layers/partition.h"

namespace effnet::layers {

// An operand of a chunked GEMM. It is available one chunk at a time.
struct GemmOperand {
  // Returns the chunk's pixels. Either computes them in `panel`, whose blocks are panel_block floats apart, or returns
  // the address of a stored tensor.
  std::function<BlockedPixels(const Chunk& chunk, float* panel, std::int64_t panel_block)> make;
  // For prefetching: the tensors that make() reads. Each is a blocked tensor of the whole batch with `blocks` channel
  // blocks.
  std::int64_t blocks = 0;
  std::vector<const float*> reads = {};
};
// Returns an operand that is a stored blocked tensor of the whole batch.
GemmOperand stored_operand(const Partition& parts, const float* tensor);
// Returns an operand that is the gradient of a batch norm's input y: c0 * dz + c1 * y + c2, where dz is the gradient of
// the batch norm's output. y and dz are blocked tensors of the whole batch. kernels, y, dz and norm must outlive the
// operand.
GemmOperand norm_gradient_operand(const Kernels& kernels, const Partition& parts, const float* y, const float* dz,
                                  const BatchNormGradient& norm, std::int64_t channels);

// Returns an operand that make(segment index, channel block, to) computes. make() is called for every channel block of
// every segment of a chunk. `parts` must outlive the operand.
template <class Make>
GemmOperand segment_operand(const Partition& parts, std::int64_t blocks, std::vector<const float*> reads, Make make) {
  return {[=, &parts](const Chunk& chunk, float* panel, std::int64_t panel_block) {
            for (std::int64_t s = chunk.segment; s < chunk.segment + chunk.segments; ++s) {
              const std::int64_t at = (parts.segments[static_cast<std::size_t>(s)].first - chunk.first) * kBlock;
              for (std::int64_t b = 0; b < blocks; ++b) make(s, b, panel + b * panel_block + at);
            }
            return BlockedPixels{panel, panel_block};
          },
          blocks, std::move(reads)};
}

// y = x * weight; y is a blocked tensor of the whole batch. Unless `moments` is null, its slot i receives the channel
// moments of segment i of y.
void gemm_forward(const Context& context, const Partition& parts, LoopOrder order, const OwnedMatrix& weight,
                  const GemmOperand& x, float* y, primitives::ChannelMoments* moments);

// dx = dy * W [+ residual] and dW = dy^T x for weights W [out_channels][in_channels], chunk by chunk. For each chunk,
// dx is computed before x.make() is called, so that make() may read dx.
struct GemmBackward {
  std::int64_t in_channels, out_channels;
  GemmOperand dy, x;
  OwnedMatrix weight = {};          // from pack_transposed(); not read if dx is null
  float* dx = nullptr;              // a blocked tensor of the whole batch; null: not computed
  const float* residual = nullptr;  // in the layout of dx; may be null
};
// Writes dw [out_channels][in_channels].
void gemm_backward(const Context& context, const Partition& parts, const GemmBackward& gemm, float* dw);

// Calls add(segment, scratch, sums) for every segment, in parallel. `sums` are `floats` values of this segment,
// initially 0, to which add() adds. Returns `floats` totals: the sums of all segments, multiplied by factor(image) if
// `factor` is given, and added in the order of the segments.
std::vector<double> sum_segments(const Context& context, const Partition& parts, std::int64_t floats,
                                 const std::function<void(const Segment& segment, Scratch& scratch, float* sums)>& add,
                                 const std::function<double(std::int64_t image)>& factor = {});

}  // namespace effnet::layers
