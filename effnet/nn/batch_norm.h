// Batch norm in training: normalises by the batch's own mean and biased variance, and moves the statistics towards
// them.
#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "effnet/graph/graph.h"
#include "effnet/nn/step.h"

namespace effnet::nn {

struct BatchNormState {
  torch::Tensor weight, bias, mean, variance;  // (c); the last two are changed
  double epsilon = 1e-3;
  double momentum = 0.99;  // moving = momentum * moving + (1 - momentum) * batch
  bool unbiased = false;   // the moving variance takes the batch's sum of squares / (N - 1) instead of / N

  // What moving statistics keep in a training pass: at most Pass::most_momentum. A momentum of 1 means statistics that
  // stay as they are, whatever that is.
  double momentum_in(const Pass& pass) const {
    return momentum < 1 && pass.most_momentum < momentum ? pass.most_momentum : momentum;
  }
};
BatchNormState batch_norm_state(const graph::Node& node, const Bind& bind, const NetworkOptions& options);

// x: (n, c, h, w), of any floating dtype. With pass.all_reduce the batch is that of all processes: two reductions of
// c + 1 and c doubles forward, one of 2c backward.
torch::Tensor batch_norm_training(const torch::Tensor& x, const BatchNormState& state, const Pass& pass);

}  // namespace effnet::nn
