// A torch module from any Graph: parameters under effnet's canonical names, bound through a ParameterSource; forward
// and, by torch's autograd, backward. Inputs and activations are (n, c, h, w) in channels-last memory.
//
// Numerics are the official code's (shared/reference/paper.md section C): batch norm normalises with the biased
// variance and keeps moving = momentum * moving + (1 - momentum) * batch, of the biased variance too unless asked
// otherwise; stochastic depth draws once a sample and divides by the survival probability; SAME padding is unsymmetric.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/random_key.h"
#include "effnet/graph/parameter_source.h"
#include "effnet/tensor/tensor.h"

namespace effnet::nn {

// Gives tensors of which trainable ones require a gradient (a slice of a leaf counts).
using ParameterSource = graph::ParameterSource<torch::Tensor>;

// The plain source: a tensor of its own for each name.
class ParameterStore : public ParameterSource {
 public:
  torch::Tensor at(const graph::Parameter& parameter) const override;  // Error(internal) for an unknown name

  // Weights as initialised by the official code from `seed` (paper.md section C; the same numbers as
  // engine::random_weights before its calibration): a tensor's values follow from seed, name and shape.
  static std::shared_ptr<ParameterStore> initialised(const graph::Graph& graph, std::uint64_t seed);
  // Copies of a model file's tensors. Throws Error(input) if one is missing or has other dims. With `skip_classifier`
  // a classifier of other dims is initialised from `seed` instead.
  static std::shared_ptr<ParameterStore> from_weights(const graph::Graph& graph, const tensor::Weights& weights,
                                                      bool skip_classifier = false, std::uint64_t seed = 0);
  tensor::Weights weights() const;  // float32 copies on the CPU, for a model file

  struct Entry {
    std::string name;
    torch::Tensor tensor;
    bool statistic;   // a batch norm's moving mean or variance: not trained
    bool batch_norm;  // belongs to a batch norm: weight decay leaves it alone
  };
  const std::vector<Entry>& entries() const { return entries_; }  // in the graph's order
  void to(torch::Device device);                                  // before networks bind

 private:
  std::vector<Entry> entries_;
};

tensor::Tensor float_copy(const torch::Tensor& tensor);  // float32 on the CPU, for a model file

struct NetworkOptions {
  bool fused = true;  // own CPU kernels for float32 training where the graph has patterns they know (nn/fused.h)
  bool unbiased_moving_variance = false;   // PyTorch's habit
  std::optional<double> bn_momentum = {};  // instead of the graph's
};

// What a forward pass needs to know beyond its input.
struct ForwardContext {
  bool training = false;
  std::uint64_t seed = 0, epoch = 0;
  std::vector<std::int64_t> samples =
      {};  // n indices in the data set: with seed and epoch the key of dropout and drop path
  // Sums of per-channel doubles over all processes (synchronised batch norm), for the forward and, with other values,
  // the backward pass: it is called without gradients. Null: this process alone.
  std::function<torch::Tensor(const torch::Tensor&)> all_reduce = {};
  // The most that moving statistics keep of what they were: a run's first steps set it below 1.
  double max_momentum = 1;
};

class Network : public torch::nn::Module {
 public:
  // Throws Error(input) for a graph with an op that cannot be trained.
  Network(graph::Graph graph, std::shared_ptr<ParameterSource> source, const NetworkOptions& options = {});
  ~Network() override;

  torch::Tensor forward(const torch::Tensor& images, const ForwardContext& pass);  // (n, 3, h, w) -> logits (n, classes)
  const graph::Graph& graph() const;
  std::vector<std::string> fused_patterns() const;  // "stages.2.1: mbconv": what runs on own kernels
  std::string isa() const;  // "avx2": the instruction set of the own kernels; empty where every step is LibTorch's

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::nn
