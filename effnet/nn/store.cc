#include <algorithm>

#include "effnet/base/error.h"
#include "effnet/formats/initial_weights.h"
#include "effnet/nn/network.h"

namespace effnet::nn {
namespace {

// Copies a tensor into memory allocated by torch, which is aligned for torch's kernels.
torch::Tensor to_torch(const tensor::Tensor& tensor) {
  const torch::Tensor copy = torch::empty(tensor.dims, torch::kFloat);
  const tensor::FloatValues from = tensor::float_values(tensor);
  std::copy(from.values.begin(), from.values.end(), copy.data_ptr<float>());
  return copy;
}

tensor::Weights initial(const graph::Graph& graph, std::uint64_t seed,
                        const std::function<bool(const graph::Parameter&)>& wanted = {}) {
  ThreadPool pool(std::clamp(at::get_num_threads(), 1, 64));
  return formats::initial_weights(graph, seed, pool, wanted);
}

// Whether `weights` has all parameters of the node, with the same dims.
bool fits(const graph::Graph& graph, const graph::Node& node, const tensor::Weights& weights) {
  const std::vector<graph::Parameter> parameters = graph::parameters(graph, node);
  return std::all_of(parameters.begin(), parameters.end(), [&](const graph::Parameter& parameter) {
    const tensor::Tensor* found = weights.find(parameter.name);
    return found != nullptr && found->dims == parameter.dims;
  });
}

}  // namespace

torch::Tensor ParameterStore::at(const graph::Parameter& parameter) const {
  const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& candidate) { return candidate.name == parameter.name; });
  if (entry == entries_.end()) throw internal_error("the network has no parameter {}", parameter.name);
  return entry->tensor;
}

std::shared_ptr<ParameterStore> ParameterStore::from_weights(const graph::Graph& graph, const tensor::Weights& weights,
                                                             bool skip_classifier, std::uint64_t seed) {
  const graph::Node& classifier = graph.at(graph.logits);
  tensor::Weights fresh;
  if (skip_classifier && !fits(graph, classifier, weights)) {
    const std::vector<graph::Parameter> own = graph::parameters(graph, classifier);
    fresh = initial(graph, seed, [&](const graph::Parameter& parameter) {
      return std::any_of(own.begin(), own.end(), [&](const auto& one) { return one.name == parameter.name; });
    });
  }
  auto store = std::make_shared<ParameterStore>();
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    const tensor::Tensor* found = fresh.find(parameter.name);
    if (found == nullptr) found = weights.find(parameter.name);
    if (found == nullptr) {
      throw input_error("the weights have no tensor {} (expected all parameters of {})", parameter.name, graph.name);
    }
    if (found->dims != parameter.dims) {
      throw input_error("{} has the wrong shape for {} (got {}, expected {})", parameter.name, graph.name,
                        tensor::to_string(found->dims), tensor::to_string(parameter.dims));
    }
    store->entries_.push_back({parameter.name, to_torch(*found).set_requires_grad(!parameter.statistic()),
                               parameter.statistic(), parameter.batch_norm()});
  }
  return store;
}

std::shared_ptr<ParameterStore> ParameterStore::initialised(const graph::Graph& graph, std::uint64_t seed) {
  return from_weights(graph, initial(graph, seed));
}

tensor::Tensor float_copy(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
  const auto* first = plain.data_ptr<float>();
  return tensor::make_tensor(plain.sizes().vec(), {first, first + plain.numel()});
}

tensor::Weights ParameterStore::weights() const {
  tensor::Weights weights;
  for (const Entry& entry : entries_) weights.tensors.emplace(entry.name, float_copy(entry.tensor));
  return weights;
}

void ParameterStore::to(torch::Device device) {
  for (Entry& entry : entries_) {
    const bool trainable = entry.tensor.requires_grad();
    entry.tensor = entry.tensor.detach().to(device).set_requires_grad(trainable);
  }
}

}  // namespace effnet::nn
