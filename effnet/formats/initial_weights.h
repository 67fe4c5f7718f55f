// The weights at the start of training: the initialisation of the official code (docs/reference/paper.md, section C;
// EN efficientnet_model.py:61, 85; paper.md explains EN).
#pragma once

#include <cstdint>
#include <functional>

#include "effnet/base/thread_pool.h"
#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// Returns every parameter of `graph`, or those that `wanted` accepts, as float32:
// - convolution with kernel size k and `out` output channels: normal with mean 0 and standard deviation
//   sqrt(2 / fan_out), fan_out = k * k * out / groups (for a depthwise convolution: sqrt(2) / k); bias 0
// - batch norm: weight 1, bias 0, mean 0, variance 1; weight 0.2 at the end of a residual branch if an activation
//   follows the sum (ResNet)
// - classifier: uniform from -1/sqrt(classes) to 1/sqrt(classes); bias 0
// The values of a tensor depend only on seed, name and shape, not on other tensors, threads or the machine.
//
// Each tensor owns its values (contiguous, aligned for float). Throws Error(environment) if memory is not sufficient.
tensor::Weights initial_weights(const graph::Graph& graph, std::uint64_t seed, ThreadPool& pool,
                                const std::function<bool(const graph::Parameter&)>& wanted = {});

}  // namespace effnet::formats
