// GEMM of a range of pixels with one panel of output channels. In the engine and in training, every convolution with
// groups = 1 and every linear layer consists of such GEMMs.
//
//   out[p][n] = epilogue(bias[n] + sum over k of input[p][k] * weight[k][n] + residual[p][n])
#pragma once

#include <cstdint>

#include "effnet/kernels/kernels.h"
#include "effnet/primitives/activation.h"
#include "effnet/primitives/packed_matrix.h"
#include "effnet/primitives/prefetch_queue.h"
#include "effnet/primitives/tile_schedule.h"

namespace effnet::primitives {

// The depth k of a GEMM is divided into segments of the input: `depth` contiguous floats of each segment except the
// last one, and `last_depth` floats of the last one.
struct GemmDepth {
  std::int64_t segments = 1;
  std::int64_t depth = kernels::kBlock;
  std::int64_t last_depth = kernels::kBlock;
  std::int64_t total() const { return (segments - 1) * depth + last_depth; }
};
// Returns the depth of an input with the blocked layout.
constexpr GemmDepth depth_of_channels(std::int64_t channels) {
  return {kernels::blocks_of(channels), kernels::kBlock, (channels - 1) % kernels::kBlock + 1};
}

// data: the input of the first pixel. The input of the next pixel begins kBlock floats later.
struct GemmInput {
  const float* data;
  std::int64_t segment_step;  // floats from one segment to the next
};

// The kernels prefetch one line per KernelSet::prefetch_interval values of k. They use the first row that applies:
//   next_weight   not null, and at most 112 pixels: the next panel's weights, distributed evenly over the tiles (7 x 7
//                 pixels with weights in L3: 104 -> 113 GFLOP/s; prefetching them in bursts is slower)
//   queue         not null and not empty: lines that the caller's next range of work reads
//   otherwise     the next pixels of the input, because a segment is too short for the processor's own prefetcher
struct GemmPrefetch {
  const float* next_weight = nullptr;
  PrefetchQueue* queue = nullptr;
};

struct GemmRun {
  GemmInput input;
  GemmDepth depth;
  Panel panel;
  const float* bias;  // for the panel's lanes
  EpilogueParams activation;
  float* out;                   // at the first pixel and the panel's first channel block
  std::int64_t out_block;       // floats from one channel block of the output to the next
  const std::int32_t* offsets;  // of each pixel in `out`, in floats; null: the pixels are kBlock floats apart
  const float* residual;        // null, or addressed as `out` is
  GemmPrefetch prefetch;
};

// The results depend neither on `schedule` nor on how pixels are divided into ranges.
void gemm(const kernels::KernelSet& set, const TileSchedule& schedule, const GemmRun& run, std::int64_t pixels);

}  // namespace effnet::primitives
