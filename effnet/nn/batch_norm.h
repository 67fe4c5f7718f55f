// Batch norm in training: normalises by the batch's own mean and biased variance, and moves the statistics towards
// them. The part of plain_step that is more than one call of LibTorch's.
#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "effnet/nn/network.h"

namespace effnet::nn {

struct BatchNormState {
  torch::Tensor weight, bias, mean, variance;  // (c); the last two are changed
  double epsilon = 1e-3;
  double momentum = 0.99;  // moving = momentum * moving + (1 - momentum) * batch
  bool unbiased = false;   // the moving variance takes the batch's sum of squares / (N - 1) instead of / N
};

// x: (n, c, h, w), of any floating dtype. With pass.all_reduce the batch is that of all processes: two reductions of
// c + 1 and c doubles forward, one of 2c backward.
torch::Tensor batch_norm_training(const torch::Tensor& x, const BatchNormState& state, const Pass& pass);

}  // namespace effnet::nn
