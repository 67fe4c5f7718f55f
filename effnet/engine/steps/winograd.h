// A dense 3x3 convolution with stride 1 as Winograd's F(2x2, 3x3): 16 products of transformed tiles, 2.25 times fewer
// multiplications.
#pragma once

#include <algorithm>

#include "effnet/engine/steps/step.h"

namespace effnet::engine {

struct WinogradSpec {
  BufferId in = kNoBuffer, out = kNoBuffer, residual = kNoBuffer;
  BlockedShape in_shape, out_shape;
  primitives::PackedShape packed{};  // of the weights of each position
  std::int64_t top = 0, left = 0;
  std::int64_t weight = 0, bias = 0;
  Activated activated;
};

// A task is a run of tiles x a group of panels: it transforms the run's input into scratch (half of L2), then,
// for each panel, multiplies all positions and transforms the result back.
class WinogradStep final : public Step {
 public:
  WinogradStep(const kernels::KernelSet& set, const WinogradSpec& spec);
  void run(const Context& context) const noexcept override;
  std::int64_t scratch_bytes() const override;
  std::int64_t zero_bytes() const override {
    return float_bytes(std::max(spec_.in_shape.chw.w * kernels::kBlock, spec_.packed.panel_channels));
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
  std::int64_t panel_blocks() const { return divide_up(spec_.packed.panel_channels, kernels::kBlock); }

  WinogradSpec spec_;
  std::int64_t across_, down_;           // tiles of an image
  std::int64_t all_, run_tiles_, runs_;  // tiles of the batch
};

}  // namespace effnet::engine
