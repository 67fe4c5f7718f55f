// GEMM of a run of pixels with one panel of output channels: what every convolution with groups = 1 and every linear
// layer is made of, in the engine and in training.
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

// The depth k of a GEMM runs over segments of the input: `depth` contiguous floats of each, `last_depth` of the last.
struct GemmDepth {
  std::int64_t segments = 1;
  std::int64_t depth = kernels::kBlock;
  std::int64_t last_depth = kernels::kBlock;
  std::int64_t total() const { return (segments - 1) * depth + last_depth; }
};
// Of an input in channel blocks.
constexpr GemmDepth depth_of_channels(std::int64_t channels) {
  return {kernels::blocks_of(channels), kernels::kBlock, (channels - 1) % kernels::kBlock + 1};
}

// The input of the first pixel; the next pixel's begins kBlock floats later.
struct GemmInput {
  const float* data;
  std::int64_t segment_step;  // floats from one segment to the next
};

// What the kernels fetch ahead of its use, one line with every k or with every second.
//   next_weight   over a short run the next panel's weights, spread evenly over the tiles (7 x 7 pixels with weights in
//                 the third-level cache: 104 -> 113 GFLOP/s; fetched in bursts they cost more than they bring)
//   queue         lines that the caller's next chunk reads, as long as there are some
//   else          the next pixels of the input, since a segment's run is too short for the processor's own prefetcher
struct GemmPrefetch {
  const float* next_weight = nullptr;
  PrefetchQueue* queue = nullptr;
};

struct GemmRun {
  GemmInput input;
  GemmDepth depth;
  Panel panel;
  const float* bias;            // of the panel's lanes
  EpilogueParams activation;    // the epilogue
  float* out;                   // of the first pixel and the panel's first channel block
  std::int64_t out_block;       // floats from one channel block of the output to the next
  const std::int32_t* offsets;  // of each pixel in `out`, in floats; null: kBlock floats apart
  const float* residual;        // null, or laid out as `out` is
  GemmPrefetch prefetch;
};

// Results do not depend on `schedule`, nor on how a longer run was cut into runs.
void gemm(const kernels::KernelSet& set, const TileSchedule& schedule, const GemmRun& run, std::int64_t pixels);

}  // namespace effnet::primitives
