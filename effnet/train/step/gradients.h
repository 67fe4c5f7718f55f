// What is done to the whole gradient at once: its norm, and a factor.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace effnet::train {

std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& parameters);  // those that are defined
void drop_gradients(const std::vector<torch::Tensor>& parameters);

// The root of the sum of squares over all tensors, in double; not finite if and only if an element is not. On the CPU
// the order of summation is fixed by the tensors' sizes, not by the threads.
double norm_of(const std::vector<torch::Tensor>& tensors);

}  // namespace effnet::train
