#include "effnet/nn/fused.h"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include "effnet/nn/layout.h"

namespace effnet::nn {

using torch::Tensor;

primitives::EpilogueParams epilogue_params_of(const graph::Graph& graph, NodeId id) {
  return primitives::epilogue_params(std::get<graph::Activate>(graph.at(id).op).kind);
}

layers::BatchNormParameters batch_norm_parameters(const BatchNormState& state, const ForwardContext& pass) {
  return {.moving_mean = data(state.mean),
          .moving_variance = data(state.variance),
          .epsilon = state.epsilon,
          .momentum = state.momentum_in(pass),
          .unbiased = state.unbiased};
}

layers::BatchNormMode batch_norm_mode(const ForwardContext& pass) {
  layers::BatchNormMode mode{.training = pass.batch_statistics()};
  if (pass.all_reduce) {
    mode.sum_all = [reduce = pass.all_reduce](std::span<double> values) {
      const Tensor own = torch::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, torch::kDouble);
      own.copy_(reduce(own));
    };
  }
  return mode;
}

bool is_autocast() {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  return at::autocast::is_autocast_enabled(at::kCPU);
#else
  return at::autocast::is_cpu_enabled();
#endif
}

bool is_cpu_float32(const Tensor& x) {
  return !x.defined() || (x.device().is_cpu() && x.scalar_type() == torch::kFloat && x.layout() == torch::kStrided);
}

Fallback::Fallback(const graph::Graph& graph, NodeId first, NodeId last, const Bind& bind,
                   const NetworkOptions& options) {
  for (NodeId id = first; id <= last; ++id) steps_.push_back(plain_step(graph, id, bind, options));
  channels_ = graph.in(graph.at(first)).c;
}

Tensor Fallback::run(const Tensor& any_layout, const ForwardContext& pass) const {
  const Tensor x = to_channels_last(any_layout, channels_);
  const NodeId first = steps_.front().first;
  std::vector<Tensor> values(steps_.size());
  for (const Step& step : steps_) {
    std::vector<Tensor> inputs;
    for (const NodeId input : step.inputs) {
      inputs.push_back(input < first ? x : values[static_cast<std::size_t>(input - first)]);
    }
    values[static_cast<std::size_t>(step.last - first)] = step.run(inputs, pass);
  }
  return values.back();
}

std::optional<Step> fused_step(const graph::Graph& graph, NodeId id, const Bind& bind, const NetworkOptions& options) {
  if (const auto nodes = match_mbconv(graph, id)) return mbconv_step(graph, *nodes, id, bind, options);
  if (const auto nodes = match_conv_bn_act(graph, id)) return conv_bn_act_step(graph, *nodes, bind, options);
  if (std::holds_alternative<graph::Linear>(graph.at(id).op)) return linear_step(graph, id, bind, options);
  return std::nullopt;
}

}  // namespace effnet::nn
