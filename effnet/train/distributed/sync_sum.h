// A differentiable sum over all processes, for synchronised batch norm (nn::ForwardContext).
#pragma once

#include <torch/torch.h>

#include "effnet/train/distributed/group.h"

namespace effnet::train {

// Returns y, the sum of x over the ranks, on every rank; x is not changed. dy/dx is 1 for every rank's x. The gradient
// of the sum of all ranks' losses with respect to x is therefore the sum over the ranks of the gradients with respect
// to y, so backward is a sum over the ranks too. All ranks must call this function and run backward in the same order.
// `group` must outlive the backward pass.
torch::Tensor sync_sum(const torch::Tensor& x, Group& group);

}  // namespace effnet::train
