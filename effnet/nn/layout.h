// Values between fused steps stay in their layout, so that no step turns what the next turns back: a tensor of five
// dimensions, (channels / 16 rounded up, n, h, w, 16), contiguous, anything in the lanes beyond the channels. All else
// is (n, c, h, w) in channels-last memory. What a fused step gives is blocked; Network turns it for steps that are not.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace effnet::nn {

inline bool is_blocked(const torch::Tensor& x) { return x.dim() == 5; }
inline std::int64_t images_of(const torch::Tensor& x) { return x.size(is_blocked(x) ? 1 : 0); }

// The value in one layout or the other, differentiable; x itself where it has it. float32 on the CPU.
torch::Tensor to_blocked(const torch::Tensor& x);
torch::Tensor to_plain(const torch::Tensor& x, std::int64_t channels);

// Uninitialised floats of the workspace (nn/resources.h): contiguous, or (n, c, h, w) in channels-last memory. Autograd
// lets go of what it kept once backward has run.
torch::Tensor pooled(const std::vector<std::int64_t>& dims);
torch::Tensor pooled_channels_last(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w);
torch::Tensor pooled_blocks(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w);

}  // namespace effnet::nn
