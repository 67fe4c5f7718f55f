// Converts the HWC rows of the network's input to a blocked tensor.
#include <algorithm>

#include "effnet/engine/steps/makers.h"

namespace effnet::engine {
namespace {

using kernels::kBlock;

struct BlockImageSpec {
  BufferId in = kNoBuffer, out = kNoBuffer;
  std::int64_t images = 1;
  ImageLayout layout;
};

class BlockImageStep final : public Step {
 public:
  explicit BlockImageStep(const BlockImageSpec& spec) : spec_(spec) {}
  void run(const Context& context) const noexcept override;

 private:
  BlockImageSpec spec_;
};

void BlockImageStep::run(const Context& context) const noexcept {
  const ImageLayout& layout = spec_.layout;
  const Chw& chw = layout.in;
  const std::int64_t rows = spec_.images * chw.h;
  context.team.step(rows, [&](std::int64_t index, int) noexcept {
    const std::int64_t image = index / chw.h, y = index % chw.h;
    const float* const row = context.buffer(spec_.in) + image * layout.image_values() +
                             (layout.top + y) * layout.row_values() + layout.left * chw.c;
    for (std::int64_t block = 0; block < kernels::blocks_of(chw.c); ++block) {
      const std::int64_t channels = std::min(kBlock, chw.c - block * kBlock);
      float* to = context.buffer(spec_.out) + (block * rows + index) * chw.w * kBlock;
      for (std::int64_t x = 0; x < chw.w; ++x, to += kBlock) {
        std::copy_n(row + x * chw.c + block * kBlock, channels, to);
        std::fill(to + channels, to + kBlock, 0.0F);
      }
    }
  });
}

}  // namespace

void make_block_image(Planner& planner, BufferId rows, const ImageLayout& layout) {
  const BufferId out = planner.output(0);
  planner.add(std::make_unique<BlockImageStep>(BlockImageSpec{rows, out, planner.batch(), layout}),
              {.out = 0, .kernel = planner.kernel_name("block_image"), .reads = {rows}, .writes = out});
}

}  // namespace effnet::engine
