// A convolution with groups = 1, or a linear layer: products over runs of pixels.
#pragma once

#include "effnet/engine/steps/step.h"

namespace effnet::engine {

struct ProductSpec {
  GemmSource source;
  BufferId in = kNoBuffer, out = kNoBuffer;
  BufferId residual = kNoBuffer;
  BufferId scale = kNoBuffer;         // images x channels, 1x1: multiplies the input's channels
  std::int64_t weight = 0, bias = 0;  // bytes from the start of the packed weights
  primitives::PackedShape packed{};   // of the weights
  Activated activated;
};

// Tasks are runs of pixels x groups of channel tiles. A run's input stays in L2 while all of a group's weights pass
// over it; a gathered input is gathered once a group. A channel scale goes into each tile's weights once a run (depth x
// tile multiplications) or into the run's input once a group (depth x pixels), whichever is less.
class ProductStep final : public Step {
 public:
  ProductStep(const kernels::KernelSet& set, const ProductSpec& spec);
  void run(const Context& context) const noexcept override;
  std::int64_t scratch_bytes() const override;

 private:
  struct Cut;
  Cut cut_for(std::int64_t members) const;
  void task(const Context& context, const Cut& cut, std::int64_t index, float* scratch) const noexcept;
  primitives::GemmInput scaled_input(const Context& context, std::int64_t image, std::int64_t first, std::int64_t count,
                                     float* scratch) const noexcept;
  void load_scale(const Context& context, std::int64_t image, float* scale) const noexcept;

  ProductSpec spec_;
  BlockedShape out_;
  std::int64_t images_;  // runs do not cross images, or 1: the batch is one long picture
  std::int64_t pixels_;  // of one of them
  std::int64_t run_pixels_, runs_;
  std::int64_t run_step_;  // a run ends with a full tile of pixels
  bool scales_weights_ = false, scales_input_ = false;
};

}  // namespace effnet::engine
