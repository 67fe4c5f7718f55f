#include "effnet/nn/grad_cam.h"

#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/nn/network.h"
#include "effnet/nn/step.h"

namespace effnet::nn {
namespace {

std::vector<float> floats_of(const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

// Runs the nodes first .. last on `values`, which has the outputs of the nodes before `first`.
void run_nodes(const graph::Graph& graph, const Bind& bind, graph::NodeId first, graph::NodeId last,
               std::vector<torch::Tensor>& values) {
  for (graph::NodeId id = first; id <= last; ++id) {
    const Step step = plain_step(graph, id, bind, {});
    std::vector<torch::Tensor> inputs;
    for (const graph::NodeId input : step.inputs) inputs.push_back(values[static_cast<std::size_t>(input)]);
    values[static_cast<std::size_t>(id)] = step.run(inputs, {});
  }
}

}  // namespace

const graph::Node& grad_cam_layer(const graph::Graph& graph, std::string_view layer) {
  constexpr const char* kHint = "effnet inspect MODEL --layers lists the layers and the sizes of their outputs";
  if (!layer.empty()) {
    const graph::Node* node = graph.find(layer);
    if (node == nullptr)
      throw usage_error("{} has no such layer (got {}, expected the name of a layer)", graph.name, in_quotes(layer))
          .with_hint(kHint);
    if (node->out.pixels() > 1) return *node;
    throw usage_error("the output of {} has one pixel only (got {}x{}, expected more)", layer, node->out.h, node->out.w)
        .with_hint(kHint);
  }
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (node->out.pixels() > 1) return *node;
  }
  throw usage_error("{} has no layer with more than one pixel (got {}x{} input)", graph.name, graph.input().h,
                    graph.input().w);
}

GradCam grad_cam(const graph::Graph& graph, const tensor::Weights& weights, std::span<const float> image,
                 std::string_view layer, std::optional<std::size_t> class_index) {
  const Chw& input = graph.input();
  EFFNET_CHECK(static_cast<std::int64_t>(image.size()) == input.numel());
  const graph::Node& node = grad_cam_layer(graph, layer);
  const auto at = static_cast<graph::NodeId>(&node - graph.nodes.data());
  const auto store = ParameterStore::from_weights(graph, weights);
  std::map<std::string, torch::Tensor> tensors;
  for (const ParameterStore::Entry& entry : store->entries()) tensors.emplace(entry.name, entry.tensor.detach());
  const Bind bind = [&](const std::string& name) { return tensors.at(name); };

  std::vector<torch::Tensor> values(graph.nodes.size());
  values[0] = torch::from_blob(const_cast<float*>(image.data()), {1, input.c, input.h, input.w}, torch::kFloat).clone();
  {
    const torch::NoGradGuard no_gradient;
    run_nodes(graph, bind, 1, at, values);
  }
  torch::Tensor& features = values[static_cast<std::size_t>(at)];
  features = features.detach().requires_grad_(true);
  const torch::Tensor leaf = features;
  run_nodes(graph, bind, at + 1, static_cast<graph::NodeId>(graph.nodes.size()) - 1, values);
  const torch::Tensor logits = values[static_cast<std::size_t>(graph.logits)].flatten();

  GradCam result{.logits = floats_of(logits.detach()), .size = {node.out.h, node.out.w}, .map = {}};
  for (const float logit : result.logits) {
    if (!std::isfinite(logit)) throw input_error("{}: a logit is not finite (got {})", graph.name, logit);
  }
  result.class_index = class_index.value_or(
      static_cast<std::size_t>(std::max_element(result.logits.begin(), result.logits.end()) - result.logits.begin()));
  if (result.class_index >= result.logits.size())
    throw usage_error("class out of range (got {}, expected 0 to {})", result.class_index, result.logits.size() - 1);
  const torch::Tensor logit = logits[static_cast<std::int64_t>(result.class_index)];
  const torch::Tensor gradient = torch::autograd::grad({logit}, {leaf}, {}, {}, false, /*allow_unused=*/true)[0];
  if (!gradient.defined())
    throw usage_error("the layer {} does not affect the logits (expected a layer that does)", node.name);
  const torch::NoGradGuard no_gradient;
  const torch::Tensor channel_weights = gradient.mean({2, 3}, /*keepdim=*/true);
  result.map = floats_of((channel_weights * leaf).sum(1).relu());
  return result;
}

}  // namespace effnet::nn
