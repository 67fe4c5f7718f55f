// Adds rows and columns of zeros around an image, or removes rows and columns.
#include <algorithm>
#include <cstring>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

struct PadSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  std::int64_t images = 1;
  Chw in_shape, out_shape;
  std::int64_t top = 0, left = 0;  // zeros added before the image; negative: rows or columns removed
};
class PadStep final : public Step {
 public:
  explicit PadStep(const PadSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  PadSpec spec_;
};

void PadStep::run(const Context& context) const noexcept {
  const Chw& in = spec_.in_shape;
  const Chw& out = spec_.out_shape;
  const std::int64_t zeros = std::clamp<std::int64_t>(spec_.left, 0, out.w);
  const std::int64_t cut = std::max<std::int64_t>(-spec_.left, 0);
  const std::int64_t copied = std::clamp<std::int64_t>(in.w - cut, 0, out.w - zeros);
  const auto bytes = [](std::int64_t count) { return static_cast<std::size_t>(count * kBlock) * sizeof(float); };
  context.team.step(kernels::blocks_of(in.c) * spec_.images, [&](std::int64_t plane, int) noexcept {
    for (std::int64_t y = 0; y < out.h; ++y) {
      float* const to = context.buffer(spec_.out) + (plane * out.h + y) * out.w * kBlock;
      const std::int64_t row = y - spec_.top;
      if (row < 0 || row >= in.h) {
        std::memset(to, 0, bytes(out.w));
        continue;
      }
      const float* const from = context.buffer(spec_.in) + ((plane * in.h + row) * in.w + cut) * kBlock;
      std::memset(to, 0, bytes(zeros));
      std::memcpy(to + zeros * kBlock, from, bytes(copied));
      std::memset(to + (zeros + copied) * kBlock, 0, bytes(out.w - zeros - copied));
    }
  });
}

}  // namespace

void make_pad(Planner& planner, const FusedOp& op) {
  const graph::Node& node = planner.graph().at(op.layer);
  const auto& pad = std::get<graph::Pad>(node.op);
  PadSpec spec;
  spec.in = planner.buffer(op.inputs[0]);
  spec.out = planner.output(op.out);
  spec.images = planner.batch();
  spec.in_shape = planner.graph().in(node);
  spec.out_shape = node.out;
  spec.top = pad.top;
  spec.left = pad.left;
  planner.add(std::make_unique<PadStep>(spec),
              {.out = op.out, .kernel = planner.kernel_name("pad"), .reads = {spec.in}, .writes = spec.out});
}

}  // namespace effnet::engine
