#include "effnet/engine/step_product.h"

#include <algorithm>
#include <cstring>

namespace effnet::engine {
namespace {

using kernels::kBlock;

// A run's input: half of a 1 MB L2, which a panel of weights (up to 32 x 4 bytes a k) shares.
constexpr std::int64_t kRunBytes = 384 << 10;
constexpr std::int64_t kShortestRun = 56;  // pixels: below, weights are read too often
constexpr std::int64_t kFewestTasks = 8;   // so that two to four threads end together
constexpr std::int64_t kRunStep = 14;      // a run ends with a full tile

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

ProductStep::ProductStep(const kernels::KernelSet& set, const ProductSpec& spec)
    : spec_(spec),
      out_{spec.source.in.images, {spec.channels, spec.source.out.h, spec.source.out.w}},
      depth_(spec.source.depth.total()),
      tile_(set.tile) {
  const bool by_image = !spec.source.in_place() || spec.scale != kNoBuffer;
  images_ = by_image ? out_.images : 1;
  pixels_ = out_.pixels() / images_;
  const std::int64_t affordable = kRunBytes / (depth_ * static_cast<std::int64_t>(sizeof(float)));
  run_pixels_ = std::min(pixels_, std::max(affordable / kRunStep * kRunStep, kShortestRun));
  // Runs of equal length, but for the rounding to full tiles.
  run_pixels_ = std::min(pixels_, divide_up(divide_up(pixels_, divide_up(pixels_, run_pixels_)), kRunStep) * kRunStep);
  runs_ = divide_up(pixels_, run_pixels_);
  tiles_ = divide_up(kernels::lanes_of(spec.channels), tile_);
  groups_ = std::min(tiles_, divide_up(kFewestTasks, runs_ * images_));
  group_tiles_ = divide_up(tiles_, groups_);
  groups_ = divide_up(tiles_, group_tiles_);
}

std::int64_t ProductStep::scratch_floats() const {
  const std::int64_t scaled = spec_.scale == kNoBuffer ? 0 : depth_ * (tile_ + 1) + kBlock;
  return spec_.source.scratch_floats(run_pixels_) + scaled;
}

void ProductStep::run(const Context& context) const noexcept {
  context.team.step(images_ * runs_ * groups_, [&](std::int64_t index, int member) noexcept {
    task(context, index, context.scratch[static_cast<std::size_t>(member)]);
  });
}

void ProductStep::task(const Context& context, std::int64_t index, float* scratch) const noexcept {
  const std::int64_t group = index % groups_;
  const std::int64_t first = index / groups_ % runs_ * run_pixels_;
  const std::int64_t image = index / groups_ / runs_;
  const std::int64_t count = std::min(run_pixels_, pixels_ - first);

  float* const panel = scratch + spec_.source.scratch_floats(run_pixels_);
  float* const scale = panel + depth_ * tile_;
  if (spec_.scale != kNoBuffer) {  // of this image, one float a channel
    const float* const from = context.buffer(spec_.scale) + image * kBlock;
    for (std::int64_t b = 0; b * kBlock < depth_; ++b) {
      std::memcpy(scale + b * kBlock, from + b * spec_.source.in.images * kBlock, kBlock * sizeof(float));
    }
  }

  TileRun run{};
  run.input = view_of(spec_.source, context.buffer(spec_.in), image, first, count, scratch);
  run.depth = spec_.source.depth;
  run.activated = spec_.activated;
  run.out_block = out_.block_floats();
  const std::int64_t at = (image * pixels_ + first) * kBlock;
  const std::int64_t lanes = kernels::lanes_of(spec_.channels);
  const std::int64_t last = std::min((group + 1) * group_tiles_, tiles_);
  for (std::int64_t tile = group * group_tiles_; tile < last; ++tile) {
    run.lanes = std::min(tile_, lanes - tile * tile_);
    run.weight = context.weights + spec_.weight + tile * tile_ * depth_;
    run.bias = context.weights + spec_.bias + tile * tile_;
    if (spec_.scale != kNoBuffer) {
      context.set.scale_rows(run.weight, scale, depth_, run.lanes, panel);
      run.weight = panel;
    }
    const std::int64_t block = tile * tile_ / kBlock * out_.block_floats() + at;
    run.out = context.buffer(spec_.out) + block;
    run.residual = spec_.residual == kNoBuffer ? nullptr : context.buffer(spec_.residual) + block;
    multiply(context, run, count);
  }
}

}  // namespace effnet::engine
