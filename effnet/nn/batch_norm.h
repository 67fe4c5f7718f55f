// Batch norm in training, by LibTorch: normalises by the mean and biased variance of the batch, and updates the moving
// statistics with them.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "effnet/graph/graph.h"
#include "effnet/nn/step.h"

namespace effnet::nn {

struct BatchNormState {
  torch::Tensor weight, bias, mean, variance;  // (c); mean and variance: the moving statistics, which training updates
  double epsilon = 1e-3;
  double momentum = 0.99;  // moving = momentum * moving + (1 - momentum) * batch
  bool unbiased = false;   // true: update the moving variance with the unbiased variance; false: with the biased one

  // The momentum of a training pass: at most ForwardContext::max_momentum. A momentum of 1 stays 1, because it means
  // that the statistics must not change.
  double momentum_in(const ForwardContext& pass) const {
    return momentum < 1 && pass.max_momentum < momentum ? pass.max_momentum : momentum;
  }
};
BatchNormState batch_norm_state(const graph::Node& node, const Bind& bind, const NetworkOptions& options);

// x: (n, c, h, w), any floating dtype. With pass.all_reduce the statistics are those of the images of all processes.
// Forward makes two all-reduces, of c + 1 doubles and of c doubles; backward makes one, of 2c doubles.
torch::Tensor batch_norm_training(const torch::Tensor& x, const BatchNormState& state, const ForwardContext& pass);

}  // namespace effnet::nn
