// What the fused steps share: how tensors of torch become raw memory of layers, and the way back to LibTorch's steps
// where a pass cannot run on own kernels. Each pattern has an autograd function of its own, in <pattern>_function.cc.
#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "effnet/layers/batch_norm.h"
#include "effnet/nn/batch_norm.h"
#include "effnet/nn/pattern.h"
#include "effnet/nn/step.h"
#include "effnet/primitives/activation.h"

namespace effnet::nn {

primitives::EpilogueParams activation_of(const graph::Graph& graph, NodeId id);

inline float* data(const torch::Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; }  // null: undefined

// Without gamma and beta, of which the autograd function has dense tensors.
layers::NormParameters norm_parameters(const BatchNormState& state, const Pass& pass);
layers::NormMode norm_mode(const Pass& pass);

// Whether a pass is what own kernels compute: all of it float32 in this process's memory.
bool is_autocast();
bool is_plain_float(const torch::Tensor& x);  // or undefined
template <class Tensors>
bool runs_here(const torch::Tensor& x, const Tensors& parameters) {
  return !is_autocast() && x.numel() > 0 && is_plain_float(x) &&
         std::all_of(parameters.begin(), parameters.end(), is_plain_float);
}

// The same nodes by LibTorch.
class Fallback {
 public:
  Fallback(const graph::Graph& graph, NodeId first, NodeId last, const Bind& bind, const NetworkOptions& options);
  torch::Tensor run(const torch::Tensor& any_layout, const Pass& pass) const;

 private:
  std::vector<Step> steps_;
  std::int64_t channels_ = 0;  // of the input
};

// The patterns.
Step mbconv_step(const graph::Graph& graph, const MbConvNodes& nodes, NodeId first, const Bind& bind,
                 const NetworkOptions& options);
Step conv_bn_act_step(const graph::Graph& graph, const ConvBnActNodes& nodes, const Bind& bind,
                      const NetworkOptions& options);
Step linear_step(const graph::Graph& graph, NodeId id, const Bind& bind, const NetworkOptions& options);

}  // namespace effnet::nn
