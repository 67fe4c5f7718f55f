// A dense 3x3 convolution with stride 1 as Winograd's F(2x2, 3x3): 16 products of transformed tiles, 2.25 times fewer
// multiplications.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kTasksAThread = 4;

struct WinogradSpec {
  BufferId in = kNoBuffer, out = kNoBuffer, residual = kNoBuffer;
  BlockedShape in_shape, out_shape;
  std::int64_t top = 0, left = 0;
  PackedLayer layer;  // the shape of each position's weights
};

// A task is a run of tiles x a group of panels: it transforms the run's input into scratch (half of L2), then,
// for each panel, multiplies all positions and transforms the result back.
class WinogradStep final : public Step {
 public:
  WinogradStep(const kernels::KernelSet& set, const WinogradSpec& spec);
  void run(const Context& context) const noexcept override;
  std::int64_t scratch_bytes() const override;
  std::int64_t zero_bytes() const override {
    return float_bytes(std::max(spec_.in_shape.chw.w * kernels::kBlock, spec_.layer.shape.panel_channels));
  }

 private:
  // Part of a row of tiles: tiles [x, x + count) of row y of an image, at `done` of the run.
  struct Part {
    std::int64_t image, y, x, count, done;
  };
  template <class Body>
  void over_parts(std::int64_t first, std::int64_t count, Body body) const;
  void transform_input(const Context& context, std::int64_t first, std::int64_t count, float* to) const noexcept;
  void transform_output(const Context& context, std::int64_t first, std::int64_t count, std::int64_t block,
                        const float* from) const noexcept;
  void task(const Context& context, std::int64_t first, std::int64_t first_panel, std::int64_t last_panel,
            float* scratch) const noexcept;
  std::int64_t panel_blocks() const { return divide_up(spec_.layer.shape.panel_channels, kernels::kBlock); }

  WinogradSpec spec_;
  std::int64_t across_, down_;           // tiles of an image
  std::int64_t all_, run_tiles_, runs_;  // tiles of the batch
};

WinogradStep::WinogradStep(const kernels::KernelSet& set, const WinogradSpec& spec)
    : spec_(spec),
      across_(divide_up(spec.out_shape.chw.w, 2)),
      down_(divide_up(spec.out_shape.chw.h, 2)),
      all_(spec.out_shape.images * across_ * down_) {
  const std::int64_t step = set.tallest();  // a run ends with a full tile
  const std::int64_t tile_bytes = float_bytes(kWinogradPositions * spec.in_shape.blocks() * kBlock);
  run_tiles_ = std::min(all_, std::max(set.cache_bytes / 2 / tile_bytes / step * step, step));
  run_tiles_ = std::min(all_, divide_up(divide_up(all_, divide_up(all_, run_tiles_)), step) * step);
  runs_ = divide_up(all_, run_tiles_);
}

std::int64_t WinogradStep::scratch_bytes() const {
  return float_bytes(kWinogradPositions * run_tiles_ * (spec_.in_shape.blocks() + panel_blocks()) * kBlock);
}

void WinogradStep::run(const Context& context) const noexcept {
  const auto members = context.members();
  const std::int64_t wanted = members == 1 ? 1 : divide_up(members * kTasksAThread, runs_);
  const std::int64_t panels = spec_.layer.shape.panels(), group_panels = divide_up(panels, std::min(panels, wanted));
  const std::int64_t groups = divide_up(panels, group_panels);
  context.team.step(runs_ * groups, [&](std::int64_t index, int member) noexcept {
    const std::int64_t group = index / runs_;  // the last one is the smallest
    task(context, index % runs_ * run_tiles_, group * group_panels, std::min((group + 1) * group_panels, panels),
         context.scratch(member));
  });
}

template <class Body>
void WinogradStep::over_parts(std::int64_t first, std::int64_t count, Body body) const {
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t at = first + done;
    const std::int64_t x = at % across_;
    const std::int64_t part = std::min(across_ - x, count - done);
    body(Part{at / across_ / down_, at / across_ % down_, x, part, done});
    done += part;
  }
}

// To [position][block][tile of the run][16].
void WinogradStep::transform_input(const Context& context, std::int64_t first, std::int64_t count,
                                   float* to) const noexcept {
  const Chw& chw = spec_.in_shape.chw;
  kernels::WinogradInputArgs args{};
  args.width = chw.w;
  args.position = spec_.in_shape.blocks() * count * kBlock;
  for (std::int64_t b = 0; b < spec_.in_shape.blocks(); ++b) {
    const float* const block = context.buffer(spec_.in) + b * spec_.in_shape.block_values();
    over_parts(first, count, [&](const Part& part) {
      for (std::int64_t r = 0; r < 4; ++r) {
        const std::int64_t row = 2 * part.y - spec_.top + r;
        args.rows[r] = row < 0 || row >= chw.h ? context.zeros() : block + (part.image * chw.h + row) * chw.w * kBlock;
      }
      args.x = 2 * part.x - spec_.left;
      args.tiles = part.count;
      args.out = to + (b * count + part.done) * kBlock;
      context.set.winograd_input(args);
    });
  }
}

// One channel block of the run, from [position][block of the panel][tile of the run][16].
void WinogradStep::transform_output(const Context& context, std::int64_t first, std::int64_t count, std::int64_t block,
                                    const float* from) const noexcept {
  const Chw& chw = spec_.out_shape.chw;
  const std::int64_t start = block * spec_.out_shape.block_values();
  kernels::WinogradOutputArgs args{};
  args.position = panel_blocks() * count * kBlock;
  args.bias = context.weight(spec_.layer.bias) + block * kBlock;
  args.low = spec_.layer.activated.low;
  args.high = spec_.layer.activated.high;
  over_parts(first, count, [&](const Part& part) {
    for (std::int64_t r = 0; r < 2; ++r) {
      const std::int64_t row = 2 * part.y + r;
      const std::int64_t at = start + ((part.image * chw.h + row) * chw.w + 2 * part.x) * kBlock;
      args.rows[r] = row < chw.h ? context.buffer(spec_.out) + at : nullptr;
      args.residual[r] = spec_.residual == kNoBuffer ? nullptr : context.buffer(spec_.residual) + at;
    }
    args.in = from + part.done * kBlock;
    args.tiles = part.count;
    args.width = chw.w - 2 * part.x;
    context.set.winograd_output[static_cast<std::size_t>(spec_.layer.activated.epilogue)](args);
  });
}

void WinogradStep::task(const Context& context, std::int64_t first, std::int64_t first_panel, std::int64_t last_panel,
                        float* scratch) const noexcept {
  const std::int64_t count = std::min(run_tiles_, all_ - first);
  float* const products = scratch + kWinogradPositions * run_tiles_ * spec_.in_shape.blocks() * kBlock;
  transform_input(context, first, count, scratch);

  primitives::GemmRun run{};
  run.depth = primitives::depth_of_channels(spec_.layer.shape.depth);
  run.bias = context.zeros();
  run.activation = activated(graph::Activation::none);
  run.out_block = count * kBlock;
  const auto matrix = [&](std::int64_t position) {
    return primitives::PackedMatrix{context.weight(spec_.layer.weight) + position * spec_.layer.shape.values(),
                                    spec_.layer.shape};
  };
  for (std::int64_t i = first_panel; i < last_panel; ++i) {
    for (std::int64_t position = 0; position < kWinogradPositions; ++position) {
      run.input = {scratch + position * spec_.in_shape.blocks() * count * kBlock, count * kBlock};
      run.panel = matrix(position).panel(i);
      run.prefetch.next_weight = position + 1 < kWinogradPositions ? matrix(position + 1).panel(i).weight : nullptr;
      run.out = products + position * panel_blocks() * count * kBlock;
      gemm(context.set, context.schedule, run, count);
    }
    for (std::int64_t b = 0; b * kBlock < run.panel.lanes; ++b) {
      transform_output(context, first, count, i * panel_blocks() + b, products + b * count * kBlock);
    }
  }
}

}  // namespace

void make_winograd(Planner& planner, const Unit& unit) {
  WinogradSpec spec;
  spec.in = planner.buffer(unit.inputs[0]);
  spec.in_shape = planner.shape_of(unit.inputs[0]);
  spec.out_shape = planner.shape_of(unit.layer);
  spec.layer = planner.gemm_layer(unit.layer, unit.activation);
  const Window window = planner.window_of(unit.layer);
  spec.top = window.top;
  spec.left = window.left;
  std::vector<BufferId> reads{spec.in};
  if (unit.addend != kNone) reads.push_back(spec.residual = planner.buffer(unit.addend));
  spec.out = planner.output_over(unit.out, unit.addend, spec.in);
  const auto kernel = fmt::format("winograd2x2_{}", kernels::name(spec.layer.activated.epilogue));
  planner.add(std::make_unique<WinogradStep>(planner.set(), spec), {.out = unit.out,
                                                                    .kernel = planner.kernel_name(kernel),
                                                                    .reads = std::move(reads),
                                                                    .writes = spec.out,
                                                                    .layers = {unit.layer}});
}

}  // namespace effnet::engine
