// The values that a network's training begins with: the official code's initialisation (docs/reference/paper.md,
// section C; EN efficientnet_model.py:61, 85).
#pragma once

#include <cstdint>
#include <functional>

#include "effnet/base/thread_pool.h"
#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// Every parameter of `graph`, or those that `wanted` accepts, float32: convolutions normal with std sqrt(2 / fan_out),
// fan_out = k * k * out / groups (depthwise: sqrt(2) / k), their biases 0; batch norm weight 1, bias 0, mean 0,
// variance 1 (weight 0.2 at the end of a residual branch whose sum is activated: ResNet's); classifier uniform in
// +-1/sqrt(classes), bias 0. A tensor's values are a function of seed, name and shape alone: of no other tensor, thread
// or machine.
//
// Each tensor owns its values, in order and aligned for float. Throws Error(environment) if memory does not suffice.
tensor::Weights initial_weights(const graph::Graph& graph, std::uint64_t seed, ThreadPool& pool,
                                const std::function<bool(const graph::Parameter&)>& wanted = {});

}  // namespace effnet::formats
