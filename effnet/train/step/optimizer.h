// Optimisers over a list of tensors. A step is an elementwise function of parameters, gradients, state and learning
// rate, so its bits do not depend on the number of threads.
//
//   rmsprop_tf  TensorFlow's: m <- decay m + (1 - decay) g^2;  v <- momentum v + lr g / sqrt(m + eps);  p <- p - v.
//               Epsilon is inside the root; m starts at 1, v at 0 (docs/reference/paper.md, section D; TF rmsprop.py)
//   sgd         v <- momentum v + g;  p <- p - lr (g + momentum v with Nesterov, else v)
//   adamw       Loshchilov & Hutter 2019: bias-corrected moments; p <- (1 - lr * weight_decay) p, separately from the
//               gradient
// rmsprop_tf and sgd add weight_decay * p to the gradient. Weight decay applies to tensors with Trainable::decays only.
// The learning rate lr of a tensor is that of the step times Trainable::lr_scale.
//
// Float32 parameters on the CPU are updated in one pass over memory (B0 with RMSProp: 150 MB per step instead of
// 500 MB), all others by LibTorch's foreach operations.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "effnet/train/recipe/recipe.h"

namespace effnet::train {

struct Trainable {
  std::string name;
  torch::Tensor tensor;
  bool decays = true;  // weight decay applies
  double lr_scale = 1;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // Updates each tensor with its grad(). Tensors without a gradient do not change.
  virtual void step(double lr) = 0;
  // The state for a checkpoint: pairs of "<slot>/<parameter>" and a float32 tensor, in a fixed order. Slots: rmsprop_tf
  // "mean_square" and "momentum"; sgd "momentum"; adamw "mean" and "mean_square", and one number "steps/all" on the
  // CPU. The tensors share the optimiser's memory, so writing into them restores the state.
  virtual std::vector<std::pair<std::string, torch::Tensor>> state() = 0;
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings, std::vector<Trainable> parameters);

}  // namespace effnet::train
