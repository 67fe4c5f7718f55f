#include "effnet/train/step/ema.h"

#include "effnet/base/error.h"
#include "effnet/train/recipe/schedule.h"

namespace effnet::train {

Average::Average(std::shared_ptr<nn::ParameterStore> store, double decay) : store_(std::move(store)), decay_(decay) {
  for (const nn::ParameterStore::Entry& entry : store_->entries()) {
    values_.push_back(entry.tensor.detach());
    shadows_.push_back(values_.back().clone());
  }
}

void Average::update(std::int64_t step) {
  const double d = decay_at_step(decay_, step);
  at::_foreach_mul_(shadows_, d);
  at::_foreach_add_(shadows_, values_, 1 - d);
}

torch::Tensor Average::at(const graph::Parameter& parameter) const {
  for (std::size_t i = 0; i < shadows_.size(); ++i) {
    if (store_->entries()[i].name == parameter.name) return shadows_[i];
  }
  throw internal_error("the average has no parameter {}", parameter.name);
}

tensor::Weights Average::weights() const {
  tensor::Weights weights;
  for (std::size_t i = 0; i < shadows_.size(); ++i) {
    weights.tensors.emplace(store_->entries()[i].name, nn::float_copy(shadows_[i]));
  }
  return weights;
}

std::vector<std::pair<std::string, torch::Tensor>> Average::state() {
  std::vector<std::pair<std::string, torch::Tensor>> result;
  for (std::size_t i = 0; i < shadows_.size(); ++i) result.emplace_back(store_->entries()[i].name, shadows_[i]);
  return result;
}

}  // namespace effnet::train
