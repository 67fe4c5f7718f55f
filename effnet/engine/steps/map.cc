// epilogue(in * scale + shift + addend) of every value, in place or not: a standalone batch norm, activation, addition
// or channel scale, or several of them.
#include <algorithm>
#include <utility>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

constexpr std::int64_t kMapPixels = 256;  // of a task: 16 KB in, 16 KB out

struct MapSpec {
  BlockedShape shape;
  BufferId in = kNoBuffer, out = kNoBuffer, addend = kNoBuffer;
  BufferId scale = kNoBuffer;           // images x channels, 1x1
  std::int64_t weight = -1, bias = -1;  // a standalone batch norm as scale and shift, in the packed weights
  graph::Activation activation = graph::Activation::none;
};
class MapStep final : public Step {
 public:
  explicit MapStep(const MapSpec& spec);
  void run(const Context& context) const noexcept override;

 private:
  MapSpec spec_;
  EpilogueParams activated_;
  std::int64_t run_pixels_, runs_;  // of an image
};

MapStep::MapStep(const MapSpec& spec)
    : spec_(spec),
      activated_(spec.activation == graph::Activation::sigmoid ? EpilogueParams{} : epilogue_params(spec.activation)),
      run_pixels_(std::min(spec.shape.chw.pixels(), kMapPixels)),
      runs_(divide_up(spec.shape.chw.pixels(), run_pixels_)) {}

void MapStep::run(const Context& context) const noexcept {
  const std::int64_t images = spec_.shape.images;
  const std::int64_t pixels = spec_.shape.chw.pixels();
  const auto piece = [&](std::int64_t index) {
    const std::int64_t first = index % runs_ * run_pixels_;
    const std::int64_t plane = index / runs_;  // block * images + image
    const std::int64_t block = plane / images;
    const std::int64_t at = (plane * pixels + first) * kBlock;
    kernels::MapArgs args{};
    args.a = context.buffer(spec_.in) + at;
    args.b = spec_.addend == kNoBuffer ? nullptr : context.buffer(spec_.addend) + at;
    args.out = context.buffer(spec_.out) + at;
    args.pixels = std::min(run_pixels_, pixels - first);
    args.low = activated_.low;
    args.high = activated_.high;
    if (spec_.scale != kNoBuffer) args.scale = context.buffer(spec_.scale) + plane * kBlock;
    if (spec_.weight >= 0) {
      args.scale = context.weight(spec_.weight) + block * kBlock;
      args.shift = context.weight(spec_.bias) + block * kBlock;
    }
    const bool sigmoid = spec_.activation == graph::Activation::sigmoid;
    (sigmoid ? context.set.sigmoid : context.set.map[static_cast<std::size_t>(activated_.epilogue)])(args);
  };
  // Small maps go together: a gate's one pixel a block is not worth a second thread.
  const std::int64_t pieces = spec_.shape.blocks() * images * runs_;
  const std::int64_t pieces_a_task = kMapPixels / run_pixels_;
  context.team.step(divide_up(pieces, pieces_a_task), [&](std::int64_t task, int) noexcept {
    const std::int64_t last = std::min(pieces, (task + 1) * pieces_a_task);
    for (std::int64_t index = task * pieces_a_task; index < last; ++index) piece(index);
  });
}

}  // namespace

void make_map(Planner& planner, const Unit& unit) {
  MapSpec spec;
  spec.shape = planner.shape_of(unit.out);
  spec.in = planner.buffer(unit.inputs[0]);
  spec.activation = unit.activation;
  std::vector<BufferId> reads{spec.in};
  std::vector<NodeId> layers;
  if (unit.layer != kNone && std::holds_alternative<graph::BatchNorm>(planner.graph().at(unit.layer).op)) {
    const PackedLayer norm = planner.layer(unit.layer);
    spec.weight = norm.weight;
    spec.bias = norm.bias;
    layers.push_back(unit.layer);
  }
  if (unit.addend != kNone) reads.push_back(spec.addend = planner.buffer(unit.addend));
  if (unit.scale != kNone) reads.push_back(spec.scale = planner.buffer(unit.scale));
  spec.out = planner.output_over(unit.out, unit.inputs[0]);
  planner.add(std::make_unique<MapStep>(spec), {.out = unit.out,
                                                .kernel = planner.kernel_name("map"),
                                                .reads = std::move(reads),
                                                .writes = spec.out,
                                                .layers = std::move(layers)});
}

}  // namespace effnet::engine
