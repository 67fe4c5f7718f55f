#include <algorithm>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/nn/network.h"

namespace effnet::nn {

torch::Tensor ParameterStore::parameter(const graph::Parameter& parameter) {
  const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& candidate) { return candidate.name == parameter.name; });
  if (entry == entries_.end()) throw internal_error("the store has no parameter {}", parameter.name);
  return entry->tensor;
}

formats::Weights ParameterStore::weights() const {
  formats::Weights weights;
  for (const Entry& entry : entries_) {
    const torch::Tensor plain = entry.tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
    std::vector<float> values(static_cast<std::size_t>(plain.numel()));
    std::memcpy(values.data(), plain.data_ptr<float>(), values.size() * sizeof(float));
    weights.tensors.emplace(entry.name, formats::make_tensor(plain.sizes().vec(), std::move(values)));
  }
  return weights;
}

void ParameterStore::to(torch::Device device) {
  for (Entry& entry : entries_) {
    const bool trained = entry.tensor.requires_grad();
    entry.tensor = entry.tensor.detach().to(device).set_requires_grad(trained);
  }
}

}  // namespace effnet::nn
