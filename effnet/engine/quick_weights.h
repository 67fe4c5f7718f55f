// Weights for timing networks of any size. They are fast to create. They need little memory, because tensors share it.
#pragma once

#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::engine {

// Returns every parameter of `graph`, float32. All weight tensors are views of one array, as long as the largest of
// them, with hashed values of variance 1. The moving variance of each batch norm is half of the fan-in of its
// convolution (He's rule), and the residual branches of networks with more than 64 of them are scaled down, so that
// activations stay finite and no layer's output is all zeros. Predictions are meaningless. If activations must keep
// unit scale, use random_weights.h instead. Throws Error(environment) if memory is insufficient.
tensor::Weights quick_weights(const graph::Graph& graph);

}  // namespace effnet::engine
