// A dense 3x3 convolution with stride 1 as Winograd's F(2x2, 3x3): 16 GEMMs of transformed tiles, with 2.25 times fewer
// multiplications.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "effnet/engine/steps/makers.h"
#include "effnet/primitives/winograd.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;
using primitives::kWinogradPositions;

constexpr std::int64_t kTasksPerThread = 4;

struct WinogradSpec {
  BufferId in = kNoBuffer, out = kNoBuffer, residual = kNoBuffer;
  primitives::WinogradTiles tiles;
  PackedLayer layer;  // its shape is that of one position's weights
};

// A task multiplies one run of tiles by one group of panels. It first transforms the input of the run into scratch,
// where it takes half of L2. Then, for each panel, it runs the GEMMs of all positions and transforms the result back.
class WinogradStep final : public Step {
 public:
  WinogradStep(const kernels::KernelSet& set, const WinogradSpec& spec);
  void run(const Context& context) const noexcept override;
  std::int64_t scratch_bytes() const override;
  std::int64_t zero_bytes() const override {
    return float_bytes(std::max(spec_.tiles.in.chw.w * kBlock, spec_.layer.shape.panel_channels));
  }

 private:
  void task(const Context& context, std::int64_t first, std::int64_t first_panel, std::int64_t last_panel,
            float* scratch) const noexcept;
  std::int64_t in_blocks() const { return spec_.tiles.in.blocks(); }
  std::int64_t panel_blocks() const { return divide_up(spec_.layer.shape.panel_channels, kBlock); }

  WinogradSpec spec_;
  std::int64_t all_, run_tiles_, runs_;  // tiles of the batch, tiles per run, runs
};

WinogradStep::WinogradStep(const kernels::KernelSet& set, const WinogradSpec& spec)
    : spec_(spec), all_(spec.tiles.count()) {
  const std::int64_t step = set.tallest();  // the length of a run is a multiple of the tallest tile
  const std::int64_t tile_bytes = float_bytes(kWinogradPositions * in_blocks() * kBlock);
  run_tiles_ = std::min(all_, std::max(set.cache_bytes / 2 / tile_bytes / step * step, step));
  run_tiles_ = std::min(all_, divide_up(divide_up(all_, divide_up(all_, run_tiles_)), step) * step);
  runs_ = divide_up(all_, run_tiles_);
}

std::int64_t WinogradStep::scratch_bytes() const {
  return float_bytes(kWinogradPositions * run_tiles_ * (in_blocks() + panel_blocks()) * kBlock);
}

void WinogradStep::run(const Context& context) const noexcept {
  const auto members = context.members();
  const std::int64_t wanted = members == 1 ? 1 : divide_up(members * kTasksPerThread, runs_);
  const std::int64_t panels = spec_.layer.shape.panels(), group_panels = divide_up(panels, std::min(panels, wanted));
  const std::int64_t groups = divide_up(panels, group_panels);
  context.team.step(runs_ * groups, [&](std::int64_t index, int member) noexcept {
    const std::int64_t group = index / runs_;  // the last group is the smallest
    task(context, index % runs_ * run_tiles_, group * group_panels, std::min((group + 1) * group_panels, panels),
         context.scratch(member));
  });
}

void WinogradStep::task(const Context& context, std::int64_t first, std::int64_t first_panel, std::int64_t last_panel,
                        float* scratch) const noexcept {
  const std::int64_t count = std::min(run_tiles_, all_ - first);
  float* const products = scratch + kWinogradPositions * run_tiles_ * in_blocks() * kBlock;
  primitives::winograd_input(context.set, spec_.tiles, context.buffer(spec_.in), context.zeros(), first, count,
                             scratch);

  primitives::GemmRun run{};
  run.depth = primitives::depth_of_channels(spec_.layer.shape.depth);
  run.bias = context.zeros();
  run.activation = epilogue_params(graph::Activation::none);
  run.out_block = count * kBlock;
  const auto matrix = [&](std::int64_t position) {
    return primitives::PackedMatrix{context.weight(spec_.layer.weight) + position * spec_.layer.shape.values(),
                                    spec_.layer.shape};
  };
  for (std::int64_t i = first_panel; i < last_panel; ++i) {
    for (std::int64_t position = 0; position < kWinogradPositions; ++position) {
      run.input = {scratch + position * in_blocks() * count * kBlock, count * kBlock};
      run.panel = matrix(position).panel(i);
      run.prefetch.next_weight = position + 1 < kWinogradPositions ? matrix(position + 1).panel(i).weight : nullptr;
      run.out = products + position * panel_blocks() * count * kBlock;
      gemm(context.set, context.schedule, run, count);
    }
    for (std::int64_t b = 0; b * kBlock < run.panel.lanes; ++b) {
      const std::int64_t block = i * panel_blocks() + b, at = block * spec_.tiles.out.block_values();
      primitives::winograd_output(
          context.set, spec_.tiles,
          {.in = products + b * count * kBlock,
           .position = panel_blocks() * count * kBlock,
           .bias = context.weight(spec_.layer.bias) + block * kBlock,
           .activation = spec_.layer.activation,
           .out = context.buffer(spec_.out) + at,
           .residual = spec_.residual == kNoBuffer ? nullptr : context.buffer(spec_.residual) + at},
          first, count);
    }
  }
}

}  // namespace

void make_winograd(Planner& planner, const FusedOp& op) {
  WinogradSpec spec;
  spec.in = planner.buffer(op.inputs[0]);
  spec.layer = planner.gemm_layer(op.layer, op.activation);
  const Window window = planner.window_of(op.layer);
  spec.tiles = {planner.shape_of(op.inputs[0]), planner.shape_of(op.layer), window.top, window.left};
  std::vector<BufferId> reads{spec.in};
  if (op.addend != kNone) reads.push_back(spec.residual = planner.buffer(op.addend));
  spec.out = planner.output_in_place(op.out, op.addend, spec.in);
  const auto kernel = fmt::format("winograd2x2_{}", kernels::name(spec.layer.activation.epilogue));
  planner.add(std::make_unique<WinogradStep>(planner.set(), spec), {.out = op.out,
                                                                    .kernel = planner.kernel_name(kernel),
                                                                    .reads = std::move(reads),
                                                                    .writes = spec.out,
                                                                    .layers = {op.layer}});
}

}  // namespace effnet::engine
