// Shared by the tests of nn: random images, parameter stores without neutral values, a fake all-reduce.
#pragma once

#include <torch/types.h>
#include <torch/utils.h>

#include <barrier>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "effnet/base/philox.h"
#include "effnet/graph/graph.h"
#include "effnet/nn/network.h"

namespace effnet::nn::testkit {

inline torch::Tensor normal(std::string_view name, const std::vector<std::int64_t>& dims, float deviation = 1) {
  torch::Tensor tensor = torch::empty(dims, torch::kFloat);
  Philox(17, stream_of(name))
      .fill_normal({tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())}, 0, deviation);
  return tensor;
}

inline torch::Tensor images(const graph::Graph& graph, std::int64_t batch) {
  const Chw& shape = graph.input();
  return normal("images", {batch, shape.c, shape.h, shape.w});
}

inline torch::Tensor tensor_of(const ParameterStore& store, std::string_view name) {
  for (const ParameterStore::Entry& entry : store.entries()) {
    if (entry.name == name) return entry.tensor;
  }
  return {};
}

// Initial values plus noise in all vectors, so that no bias is 0 and no batch norm scale is 1.
inline std::shared_ptr<ParameterStore> random_store(const graph::Graph& graph) {
  auto store = ParameterStore::initialised(graph, 3);
  const torch::NoGradGuard no_gradient;
  for (const ParameterStore::Entry& entry : store->entries()) {
    if (entry.tensor.dim() == 1 && !entry.statistic) {
      torch::Tensor(entry.tensor).add_(normal(entry.name, entry.tensor.sizes().vec(), 0.1F));
    }
  }
  return store;
}

inline ForwardContext training_pass(std::int64_t batch, std::uint64_t seed = 1) {
  ForwardContext pass{.training = true, .seed = seed, .epoch = 0};
  for (std::int64_t i = 0; i < batch; ++i) pass.samples.push_back(i);
  return pass;
}

// A fake all_reduce for two threads that act as two processes: it adds the values of both.
class ProcessPair {
 public:
  std::function<torch::Tensor(const torch::Tensor&)> all_reduce(int rank) {
    return [this, rank](const torch::Tensor& values) {
      parts_[rank] = values;
      barrier_.arrive_and_wait();
      const torch::Tensor sum = parts_[0] + parts_[1];
      barrier_.arrive_and_wait();
      return sum;
    };
  }

 private:
  std::barrier<> barrier_{2};
  torch::Tensor parts_[2];
};

// Returns the largest absolute difference of a and b, divided by the largest absolute value of b.
inline double relative(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item<double>();
}

}  // namespace effnet::nn::testkit
