// Computes the mean over all pixels of an image, from a tensor (one sum per channel, in pixel order) or from the sums
// that a depthwise step has computed.
#include <algorithm>
#include <array>
#include <cstring>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

struct GlobalPoolSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  BlockedShape shape;      // of the tensor that is averaged
  std::int64_t bands = 0;  // if > 0, `in` contains the sums [block][image][band][16] of a depthwise step
};
class GlobalPoolStep final : public Step {
 public:
  explicit GlobalPoolStep(const GlobalPoolSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  GlobalPoolSpec spec_;
};

void GlobalPoolStep::run(const Context& context) const noexcept {
  const std::int64_t planes = spec_.shape.blocks() * spec_.shape.images;
  const std::int64_t summands = spec_.bands > 0 ? spec_.bands : spec_.shape.chw.pixels();
  // The sums of the bands are only a few vectors per plane, so a second thread would not be faster.
  const std::int64_t planes_per_task = spec_.bands > 0 ? planes : 1;
  context.team.step(divide_up(planes, planes_per_task), [&](std::int64_t task, int) noexcept {
    for (std::int64_t plane = task * planes_per_task; plane < std::min(planes, (task + 1) * planes_per_task); ++plane) {
      alignas(kernels::kAlignment) std::array<float, kBlock> mean{};
      context.set.sum(context.buffer(spec_.in) + plane * summands * kBlock, summands, mean.data());
      for (float& value : mean) value /= static_cast<float>(spec_.shape.chw.pixels());
      std::memcpy(context.buffer(spec_.out) + plane * kBlock, mean.data(), sizeof(mean));
    }
  });
}

}  // namespace

void make_global_pool(Planner& planner, const FusedOp& op) {
  GlobalPoolSpec spec;
  spec.shape = planner.shape_of(op.inputs[0]);
  if (op.pooled != kNone) {
    spec.in = planner.sums(op.pooled).buffer;
    spec.bands = planner.sums(op.pooled).bands;
  } else {
    spec.in = planner.buffer(op.inputs[0]);
  }
  spec.out = planner.output(op.out);
  planner.add(std::make_unique<GlobalPoolStep>(spec),
              {.out = op.out, .kernel = planner.kernel_name("global_pool"), .reads = {spec.in}, .writes = spec.out});
}

}  // namespace effnet::engine
