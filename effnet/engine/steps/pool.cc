// Max and average pooling.
#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

struct PoolSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  std::int64_t images = 1;
  Chw in_shape, out_shape;
  Window window;
  graph::PoolKind kind = graph::PoolKind::max;
  bool count_padding = false;
};
class PoolStep final : public Step {
 public:
  explicit PoolStep(const PoolSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  PoolSpec spec_;
};

void PoolStep::run(const Context& context) const noexcept {
  const Chw& in = spec_.in_shape;
  const Chw& out = spec_.out_shape;
  const kernels::PoolFn pool = spec_.kind == graph::PoolKind::max ? context.set.max_pool : context.set.average_pool;
  context.team.step(kernels::blocks_of(in.c) * spec_.images, [&](std::int64_t plane, int) noexcept {
    kernels::PoolArgs args{};
    args.in = context.buffer(spec_.in) + plane * in.pixels() * kBlock;
    args.in_h = in.h;
    args.in_w = in.w;
    args.out_w = out.w;
    args.left = -spec_.window.left;
    args.kernel = spec_.window.kernel;
    args.stride = spec_.window.stride;
    args.count_padding = spec_.count_padding;
    for (std::int64_t y = 0; y < out.h; ++y) {
      args.top = y * spec_.window.stride - spec_.window.top;
      args.out = context.buffer(spec_.out) + (plane * out.h + y) * out.w * kBlock;
      pool(args);
    }
  });
}

}  // namespace

void make_pool(Planner& planner, const FusedOp& op) {
  const graph::Node& node = planner.graph().at(op.layer);
  const auto& pool = std::get<graph::Pool>(node.op);
  PoolSpec spec;
  spec.in = planner.buffer(op.inputs[0]);
  spec.out = planner.output(op.out);
  spec.images = planner.batch();
  spec.in_shape = planner.graph().in(node);
  spec.out_shape = node.out;
  spec.window = planner.window_of(op.layer);
  spec.kind = pool.kind;
  spec.count_padding = pool.count_padding;
  planner.add(std::make_unique<PoolStep>(spec),
              {.out = op.out, .kernel = planner.kernel_name("pool"), .reads = {spec.in}, .writes = spec.out});
}

}  // namespace effnet::engine
