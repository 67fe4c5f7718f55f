#include "effnet/primitives/gemm.h"

#include <array>

namespace effnet::primitives {
namespace {

using kernels::kBlock;

// For runs of at most 112 pixels, prefetching the next panel's weights is faster than prefetching the input.
constexpr std::int64_t kShortRun = 112;

constexpr auto kOffsets = [] {  // for contiguous pixels
  std::array<std::int32_t, 16> offsets{};
  for (std::size_t i = 0; i < offsets.size(); ++i) offsets[i] = static_cast<std::int32_t>(i) * 16;
  return offsets;
}();

}  // namespace

void gemm(const kernels::KernelSet& set, const TileSchedule& schedule, const GemmRun& run, std::int64_t pixels) {
  const std::int64_t lanes = run.panel.lanes, depth = run.depth.total();
  kernels::GemmArgs args{};
  args.a_segment = run.input.segment_step;
  args.segments = run.depth.segments;
  args.depth = run.depth.depth;
  args.last_depth = run.depth.last_depth;
  args.weight = run.panel.weight;
  args.bias = run.bias;
  args.out_block = run.out_block;
  args.low = run.activation.low;
  args.high = run.activation.high;
  const bool fetch_weight = run.prefetch.next_weight != nullptr && pixels <= kShortRun;
  // Floats from the address after the last prefetched line of one segment to the first line of the next segment.
  const std::int64_t to_next_segment = run.input.segment_step - run.depth.depth / set.prefetch_interval * kBlock;
  if (fetch_weight) {
    const std::int64_t height = set.heights[set.first_height(lanes)], tiles = (pixels + height - 1) / height;
    args.prefetch_address = run.prefetch.next_weight;
    args.prefetch_step = (lanes * set.prefetch_interval + tiles - 1) / tiles;
  } else {
    args.prefetch_step = kBlock;
    args.prefetch_segment_step = to_next_segment;
  }
  for (std::int64_t done = 0; done < pixels;) {
    const std::size_t tile = schedule.next(pixels - done, lanes);
    const std::int64_t height = set.heights[tile];
    args.a = run.input.data + done * kBlock;
    const std::int64_t shift = run.offsets == nullptr ? done * kBlock : 0;
    args.out = run.out + shift;
    args.residual = run.residual == nullptr ? nullptr : run.residual + shift;
    args.offsets = run.offsets == nullptr ? kOffsets.data() : run.offsets + done;
    if (!fetch_weight) {
      const float* const queued =
          run.prefetch.queue == nullptr ? nullptr : run.prefetch.queue->take(depth / set.prefetch_interval);
      args.prefetch_address = queued != nullptr ? queued : args.a + height * kBlock;
      if (run.prefetch.queue != nullptr) args.prefetch_segment_step = queued != nullptr ? 0 : to_next_segment;
    }
    set.gemm(tile, lanes, run.activation.epilogue)(args);
    if (fetch_weight) args.prefetch_address += depth / set.prefetch_interval * args.prefetch_step;
    done += height;
  }
}

}  // namespace effnet::primitives
