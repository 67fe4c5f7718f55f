// The moving average of a network's tensors, trainable ones and batch norm's moving statistics alike
// (docs/reference/paper.md, section D: EN utils.py:339). Shadows start at the tensors' values of when the average is
// made.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "effnet/nn/network.h"
#include "effnet/tensor/tensor.h"

namespace effnet::train {

// As a ParameterSource it hands out the shadows: a network bound to it evaluates with the average, and no weights are
// copied or swapped.
class Average final : public nn::ParameterSource {
 public:
  // The store's tensors must stay where they are (ParameterStore::to before this). `decay`: the largest, see update.
  Average(std::shared_ptr<nn::ParameterStore> store, double decay);

  // shadow <- d shadow + (1 - d) value with d = min(decay, (1 + step) / (10 + step)), step counted from 0. Elementwise:
  // the same bits for any number of threads.
  void update(std::int64_t step);

  torch::Tensor at(const graph::Parameter& parameter) const override;  // Error(internal) for an unknown name
  tensor::Weights weights() const;                                     // float32 copies on the CPU
  std::vector<std::pair<std::string, torch::Tensor>> state();          // name -> shadow, in the store's order

 private:
  std::shared_ptr<nn::ParameterStore> store_;
  double decay_;
  std::vector<torch::Tensor> shadows_, values_;  // entry i of the store
};

}  // namespace effnet::train
