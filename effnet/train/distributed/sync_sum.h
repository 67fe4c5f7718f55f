// A sum over all processes that autograd can go through: what synchronised batch norm is made of (nn::ForwardContext).
#pragma once

#include <torch/torch.h>

#include "effnet/train/distributed/group.h"

namespace effnet::train {

// y = sum over ranks of x, on every rank; the input is left alone. y depends on every rank's x with factor 1, so the
// gradient of the sum of all ranks' losses by x is the sum over ranks of their gradients by y: backward is a sum, too.
// Every rank must call this, and run backward, in the same order. `group` must outlive the backward pass.
torch::Tensor sync_sum(const torch::Tensor& x, Group& group);

}  // namespace effnet::train
