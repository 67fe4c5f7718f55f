// Computes epilogue(in * scale + shift + addend) for every value, in place if possible: a standalone batch norm,
// activation, addition or channel scale, or several of them.
#include <algorithm>
#include <utility>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kMapPixels = 256;  // per task: 16 KB of input, 16 KB of output

struct MapSpec {
  BlockedShape shape;
  BufferId in = kNoBuffer, out = kNoBuffer, addend = kNoBuffer;
  BufferId scale = kNoBuffer;           // images x channels, 1x1
  std::int64_t weight = -1, bias = -1;  // scale and shift of a standalone batch norm: offsets in the packed weights
  graph::Activation activation = graph::Activation::none;
};
class MapStep final : public Step {
 public:
  explicit MapStep(const MapSpec& spec);
  void run(const Context& context) const noexcept override;

 private:
  MapSpec spec_;
  EpilogueParams params_;
  std::int64_t run_pixels_, runs_;  // per image
};

MapStep::MapStep(const MapSpec& spec)
    : spec_(spec),
      params_(spec.activation == graph::Activation::sigmoid ? EpilogueParams{} : epilogue_params(spec.activation)),
      run_pixels_(std::min(spec.shape.chw.pixels(), kMapPixels)),
      runs_(divide_up(spec.shape.chw.pixels(), run_pixels_)) {}

void MapStep::run(const Context& context) const noexcept {
  const std::int64_t images = spec_.shape.images;
  const std::int64_t pixels = spec_.shape.chw.pixels();
  const auto run_one = [&](std::int64_t index) {
    const std::int64_t first = index % runs_ * run_pixels_;
    const std::int64_t plane = index / runs_;  // = block * images + image
    const std::int64_t block = plane / images;
    const std::int64_t at = (plane * pixels + first) * kBlock;
    kernels::MapArgs args{};
    args.a = context.buffer(spec_.in) + at;
    args.b = spec_.addend == kNoBuffer ? nullptr : context.buffer(spec_.addend) + at;
    args.out = context.buffer(spec_.out) + at;
    args.pixels = std::min(run_pixels_, pixels - first);
    args.low = params_.low;
    args.high = params_.high;
    if (spec_.scale != kNoBuffer) args.scale = context.buffer(spec_.scale) + plane * kBlock;
    if (spec_.weight >= 0) {
      args.scale = context.weight(spec_.weight) + block * kBlock;
      args.shift = context.weight(spec_.bias) + block * kBlock;
    }
    const bool sigmoid = spec_.activation == graph::Activation::sigmoid;
    (sigmoid ? context.set.sigmoid : context.set.map[static_cast<std::size_t>(params_.epilogue)])(args);
  };
  // Several small maps are one task. The sigmoid of the SE, for example, has only one pixel per channel block, so more
  // threads would not be faster.
  const std::int64_t runs = spec_.shape.blocks() * images * runs_;
  const std::int64_t runs_per_task = kMapPixels / run_pixels_;
  context.team.step(divide_up(runs, runs_per_task), [&](std::int64_t task, int) noexcept {
    const std::int64_t last = std::min(runs, (task + 1) * runs_per_task);
    for (std::int64_t index = task * runs_per_task; index < last; ++index) run_one(index);
  });
}

}  // namespace

void make_map(Planner& planner, const FusedOp& op) {
  MapSpec spec;
  spec.shape = planner.shape_of(op.out);
  spec.in = planner.buffer(op.inputs[0]);
  spec.activation = op.activation;
  std::vector<BufferId> reads{spec.in};
  std::vector<NodeId> layers;
  if (op.layer != kNone && std::holds_alternative<graph::BatchNorm>(planner.graph().at(op.layer).op)) {
    const PackedLayer norm = planner.layer(op.layer);
    spec.weight = norm.weight;
    spec.bias = norm.bias;
    layers.push_back(op.layer);
  }
  if (op.addend != kNone) reads.push_back(spec.addend = planner.buffer(op.addend));
  if (op.scale != kNone) reads.push_back(spec.scale = planner.buffer(op.scale));
  spec.out = planner.output_in_place(op.out, op.inputs[0]);
  planner.add(std::make_unique<MapStep>(spec), {.out = op.out,
                                                .kernel = planner.kernel_name("map"),
                                                .reads = std::move(reads),
                                                .writes = spec.out,
                                                .layers = std::move(layers)});
}

}  // namespace effnet::engine
