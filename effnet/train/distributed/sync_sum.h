// A differentiable sum over all processes, for synchronised batch norm (nn::ForwardContext).
#pragma once

#include <torch/types.h>

#include "effnet/train/distributed/group.h"

namespace effnet::train {

// Returns y, the sum of x over the ranks, on every rank; x is not changed. Backward sums the gradients with respect to
// y over the ranks: this rank's x is a term of y on every rank, with the derivative 1, and the total loss is the sum of
// all ranks' losses. All ranks must call this function and run backward in the same order. `group` must outlive the
// backward pass.
torch::Tensor sync_sum(const torch::Tensor& x, Group& group);

}  // namespace effnet::train
