// Concatenates tensors along the channels.
#include <algorithm>
#include <cstring>
#include <utility>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

struct ConcatSpec {
  std::vector<BufferId> in;
  std::vector<std::int64_t> channels;
  BufferId out = kNoBuffer;
  BlockedShape shape;  // of the output
};
class ConcatStep final : public Step {
 public:
  explicit ConcatStep(ConcatSpec spec) : spec_(std::move(spec)) {}
  void run(const Context& context) const noexcept override;

 private:
  ConcatSpec spec_;
};

void ConcatStep::run(const Context& context) const noexcept {
  const std::int64_t pixels = spec_.shape.pixels();
  // A task computes one block of the output. It copies a whole block of one input, or lanes of one or more inputs.
  context.team.step(spec_.shape.blocks(), [&](std::int64_t block, int) noexcept {
    float* const out = context.buffer(spec_.out) + block * pixels * kBlock;
    const std::int64_t lanes = std::min(kBlock, spec_.shape.chw.c - block * kBlock);
    std::int64_t first = 0;  // first output channel of input i
    for (std::size_t i = 0; i < spec_.in.size(); first += spec_.channels[i++]) {
      const std::int64_t begin = std::max(first, block * kBlock);
      const std::int64_t end = std::min(first + spec_.channels[i], block * kBlock + lanes);
      if (begin >= end) continue;
      const float* const in = context.buffer(spec_.in[i]);
      if ((begin - first) % kBlock == 0 && begin % kBlock == 0 && end - begin == kBlock) {
        std::memcpy(out, in + (begin - first) * pixels, static_cast<std::size_t>(pixels * kBlock) * sizeof(float));
        continue;
      }
      for (std::int64_t c = begin; c < end; ++c) {
        const float* from = in + (c - first) / kBlock * pixels * kBlock + (c - first) % kBlock;
        for (std::int64_t p = 0; p < pixels; ++p) out[p * kBlock + c % kBlock] = from[p * kBlock];
      }
    }
    // Kernels read these padding lanes, so their values must be finite.
    for (std::int64_t c = lanes; c < std::min(kBlock, kernels::lanes_of(lanes)); ++c) {
      for (std::int64_t p = 0; p < pixels; ++p) out[p * kBlock + c] = 0;
    }
  });
}

}  // namespace

void make_concat(Planner& planner, const FusedOp& op) {
  ConcatSpec spec;
  for (const NodeId in : op.inputs) {
    spec.in.push_back(planner.buffer(in));
    spec.channels.push_back(planner.graph().at(in).out.c);
  }
  spec.shape = planner.shape_of(op.out);
  spec.out = planner.output(op.out);
  Planner::StepDescription description{
      .out = op.out, .kernel = planner.kernel_name("concat"), .reads = spec.in, .writes = spec.out};
  planner.add(std::make_unique<ConcatStep>(std::move(spec)), std::move(description));
}

}  // namespace effnet::engine
