// Operations on the gradients of all parameters together.
#pragma once

#include <torch/types.h>

#include <vector>

namespace effnet::train {

std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& parameters);  // omits undefined gradients
void drop_gradients(const std::vector<torch::Tensor>& parameters);

// Returns the square root of the sum of squares over all tensors. On the CPU the sum is in double, so the result is not
// finite if and only if an element is not finite, and the order of summation depends on the tensors' sizes only, not on
// the number of threads. On a GPU each tensor's norm is computed by LibTorch.
double norm_of(const std::vector<torch::Tensor>& tensors);

}  // namespace effnet::train
