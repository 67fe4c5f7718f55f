// Tensor layouts between steps. Fused steps of convolutions exchange blocked tensors: five dimensions, (channels / 16
// rounded up, n, h, w, 16), contiguous. Their padding lanes are undefined. All other tensors are (n, c, h, w) in
// channels-last memory. Network::forward() converts the inputs of steps that do not accept blocked tensors.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace effnet::nn {

inline bool is_blocked(const torch::Tensor& x) { return x.dim() == 5; }
inline std::int64_t batch_size_of(const torch::Tensor& x) { return x.size(is_blocked(x) ? 1 : 0); }

// These functions convert x to the layout that they name, or return x itself if it has that layout already. They are
// differentiable. x must be float32 on the CPU.
torch::Tensor to_blocked(const torch::Tensor& x);
torch::Tensor to_channels_last(const torch::Tensor& x, std::int64_t channels);

// These functions return uninitialised float tensors in memory of the shared workspace (nn/resources.h): a contiguous
// tensor of any dims; a tensor (n, c, h, w) in channels-last memory; a blocked tensor. The memory returns to the
// workspace when the last reference to the tensor is dropped. Autograd drops its references after the backward pass.
torch::Tensor workspace_tensor(const std::vector<std::int64_t>& dims);
torch::Tensor workspace_channels_last(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w);
torch::Tensor workspace_blocks(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w);

}  // namespace effnet::nn
