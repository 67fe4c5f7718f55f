// Shared by the fused steps: access to the raw memory of torch tensors, and the fallback to plain steps for forward
// passes that cannot run on effnet's kernels. Each pattern has one autograd function, in <pattern>_function.cc.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "effnet/layers/batch_norm.h"
#include "effnet/nn/batch_norm.h"
#include "effnet/nn/pattern.h"
#include "effnet/nn/step.h"
#include "effnet/primitives/activation.h"

namespace effnet::nn {

// Returns the epilogue for Activate node `id`.
primitives::EpilogueParams epilogue_params_of(const graph::Graph& graph, NodeId id);

inline float* data(const torch::Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; }

// Sets all members except gamma and beta. The autograd function sets gamma and beta, from contiguous tensors.
layers::BatchNormParameters batch_norm_parameters(const BatchNormState& state, const ForwardContext& pass);
layers::BatchNormMode batch_norm_mode(const ForwardContext& pass);

bool is_autocast();
bool is_cpu_float32(const torch::Tensor& x);  // also true for an undefined tensor
// Whether effnet's kernels can compute a forward pass: no autocast, x not empty, all tensors float32 on the CPU.
template <class Tensors>
bool can_run_fused(const torch::Tensor& x, const Tensors& parameters) {
  return !is_autocast() && x.numel() > 0 && is_cpu_float32(x) &&
         std::all_of(parameters.begin(), parameters.end(), is_cpu_float32);
}

// Runs nodes [first, last] as plain steps. These nodes may read only one value that is computed before `first`: the
// input of run().
class Fallback {
 public:
  Fallback(const graph::Graph& graph, NodeId first, NodeId last, const Bind& bind, const NetworkOptions& options);
  torch::Tensor run(const torch::Tensor& any_layout, const ForwardContext& pass) const;

 private:
  std::vector<Step> steps_;
  std::int64_t channels_ = 0;  // channels of the input
};

// Each function makes the step of one pattern.
Step mbconv_step(const graph::Graph& graph, const MbConvNodes& nodes, NodeId first, const Bind& bind,
                 const NetworkOptions& options);
Step conv_bn_act_step(const graph::Graph& graph, const ConvBnActNodes& nodes, const Bind& bind,
                      const NetworkOptions& options);
Step linear_step(const graph::Graph& graph, NodeId id, const Bind& bind, const NetworkOptions& options);

}  // namespace effnet::nn
