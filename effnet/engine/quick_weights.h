// Weights for timing: fast to create, and no larger in memory than the largest tensors, for networks of any size.
#pragma once

#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::engine {

// Returns every parameter of `graph`, float32. All weights are views of one row of hashed values with variance 1. The
// variance of each batch norm is half of the fan-in of its convolution (He's rule), so that activations stay finite and
// no layer is all zeros. Predictions are meaningless; use random_weights.h for networks whose activations keep unit
// scale.
// Throws Error(environment) if memory is insufficient.
tensor::Weights quick_weights(const graph::Graph& graph);

}  // namespace effnet::engine
