// Weights for timing alone: made in no time and in the memory of the largest tensor, whatever the network's size.
#pragma once

#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::engine {

// Every parameter of `graph`, float32. All weights are views of one row of hashed values of variance 1, and a batch
// norm's variance is half of its convolution's fan-in (He's rule), so that activations stay finite and no layer is all
// zeros. Answers mean nothing: random_weights.h makes weights whose networks behave.
// Throws Error(environment) if memory does not suffice.
tensor::Weights quick_weights(const graph::Graph& graph);

}  // namespace effnet::engine
