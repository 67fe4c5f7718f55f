// Optimisers over a list of tensors. One step is a pure function of (parameters, gradients, state, lr), elementwise, so
// it gives the same bits for any number of threads.
//
//   rmsprop_tf  TensorFlow's: m <- decay m + (1 - decay) g^2;  v <- momentum v + lr g / sqrt(m + eps);  p <- p - v.
//               Epsilon is inside the root, m starts at 1, v at 0 (docs/reference/paper.md, section D; TF rmsprop.py)
//   sgd         v <- momentum v + g;  p <- p - lr (g + momentum v with Nesterov, else v)
//   adamw       Loshchilov & Hutter 2019: bias-corrected moments, decay * lr * p apart from the gradient
// Weight decay of the first two is weight_decay * p added to the gradient, of all tensors but batch norms'.
//
// Float32 parameters on the CPU are updated in one pass over memory (B0 with RMSProp: 150 MB a step instead of 500 MB);
// all others by LibTorch's foreach operations.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

struct Trainable {
  std::string name;
  torch::Tensor tensor;
  bool decays = true;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // Gradients are the tensors' grad(); one without a gradient is left alone.
  virtual void step(double lr) = 0;
  // "<slot>/<parameter>" -> float32 tensor, for a checkpoint, in a fixed order: rmsprop_tf "mean_square" and
  // "momentum"; sgd "momentum"; adamw "mean", "mean_square" and one number "steps/all" on the CPU. Writing into them
  // restores the state.
  virtual std::vector<std::pair<std::string, torch::Tensor>> state() = 0;
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings, std::vector<Trainable> parameters);

}  // namespace effnet::train
