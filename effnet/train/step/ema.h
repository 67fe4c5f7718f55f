// The moving average (EMA) of all tensors of a network: trainable ones and moving statistics of batch norms
// (docs/reference/paper.md, section D: EN utils.py:339). The averages are called shadows. They start as copies of the
// tensors.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "effnet/nn/network.h"
#include "effnet/tensor/tensor.h"

namespace effnet::train {

// As a ParameterSource it provides the shadows, so a network that is made from it evaluates with the average, without
// copying or swapping weights.
class Average final : public nn::ParameterSource {
 public:
  // The store's tensors must not be replaced afterwards, so call ParameterStore::to() before. `decay`: the upper limit
  // of d in update().
  Average(std::shared_ptr<nn::ParameterStore> store, double decay);

  // shadow <- d shadow + (1 - d) value with d = min(decay, (1 + step) / (10 + step)); steps count from 0. The update is
  // elementwise, so the bits do not depend on the number of threads.
  void update(std::int64_t step);

  torch::Tensor at(const graph::Parameter& parameter) const override;  // throws Error(internal) for an unknown name
  tensor::Weights weights() const;                                     // float32 copies on the CPU
  std::vector<std::pair<std::string, torch::Tensor>> state();          // name -> shadow, in the store's order

 private:
  std::shared_ptr<nn::ParameterStore> store_;
  double decay_;
  std::vector<torch::Tensor> shadows_, values_;  // element i belongs to entry i of the store
};

}  // namespace effnet::train
