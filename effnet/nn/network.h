// A torch module made from any Graph. Its parameters have effnet's canonical names and come from a ParameterSource. The
// backward pass uses torch's autograd. Inputs are (n, c, h, w) in channels-last memory.
//
// Details of the computation follow the official code (docs/reference/paper.md, section C):
//  - Batch norm normalises with the biased variance and updates moving = momentum * moving + (1 - momentum) * batch. It
//    updates the moving variance with the biased variance too, unless NetworkOptions says otherwise.
//  - Drop path (stochastic depth) draws one number per sample and divides by the survival probability.
//  - SAME padding is asymmetric.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

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

// Provides the tensor of each parameter. Trainable tensors must require a gradient; they may be slices of larger leaf
// tensors.
using ParameterSource = graph::ParameterSource<torch::Tensor>;

// A source with a separate tensor for each parameter.
class ParameterStore : public ParameterSource {
 public:
  torch::Tensor at(const graph::Parameter& parameter) const override;  // throws Error(internal) for an unknown name

  // Initial weights by the rules of the official code (docs/reference/paper.md, section C). A tensor's values depend on
  // `seed`, its name and its shape only, and are the same as those of engine::random_weights(), which then also sets
  // the moving statistics.
  static std::shared_ptr<ParameterStore> initialised(const graph::Graph& graph, std::uint64_t seed);
  // Copies the tensors of a model file. Throws Error(input) if one is missing or has other dims. With
  // `skip_classifier`, a classifier that is missing or has other dims is initialised from `seed` instead.
  static std::shared_ptr<ParameterStore> from_weights(const graph::Graph& graph, const tensor::Weights& weights,
                                                      bool skip_classifier = false, std::uint64_t seed = 0);
  tensor::Weights weights() const;  // float32 copies on the CPU, for a model file

  struct Entry {
    std::string name;
    torch::Tensor tensor;
    bool statistic;   // a batch norm's moving mean or variance; not trainable
    bool batch_norm;  // belongs to a batch norm; weight decay does not apply
  };
  const std::vector<Entry>& entries() const { return entries_; }  // in the graph's order
  void to(torch::Device device);  // replaces all tensors, so call it before a Network is made from this store

 private:
  std::vector<Entry> entries_;
};

tensor::Tensor float_copy(const torch::Tensor& tensor);  // a float32 copy on the CPU, for a model file

struct NetworkOptions {
  bool fused = true;                       // use fused steps, on effnet's float32 CPU kernels (nn/step.h)
  bool unbiased_moving_variance = false;   // true: unbiased variance, as in PyTorch; false: biased, as in TensorFlow
  std::optional<double> bn_momentum = {};  // replaces the momentum of the graph's batch norms
  // The nodes before this one are frozen: they run as in evaluation and get no gradients. 0: no node is frozen. A fused
  // step of several nodes is frozen if all of its nodes are.
  graph::NodeId first_trained = 0;
};

// Arguments of a forward pass other than the images.
struct ForwardContext {
  bool training = false;
  // In training: batch norms normalise with their moving statistics, as in evaluation, and do not change them.
  bool fixed_statistics = false;
  std::uint64_t seed = 0, epoch = 0;
  // The dataset index of each of the n images. Dropout and drop path draw their numbers from seed, epoch and this
  // index.
  std::vector<std::int64_t> samples = {};
  // For synchronised batch norm: returns, for a tensor of doubles, the elementwise sum over all processes. Called in
  // the forward and in the backward pass, always with autograd disabled. Empty: this process only.
  std::function<torch::Tensor(const torch::Tensor&)> all_reduce = {};
  // Upper limit for the momentum of moving statistics. Batch norm warm-up sets it below 1 in the first steps of a run.
  double max_momentum = 1;

  // Whether batch norms normalise with the statistics of the batch.
  bool batch_statistics() const { return training && !fixed_statistics; }
};

class Network : public torch::nn::Module {
 public:
  // Throws Error(input) for a graph with an Input node other than node 0.
  Network(graph::Graph graph, std::shared_ptr<ParameterSource> source, const NetworkOptions& options = {});
  ~Network() override;

  // images (n, 3, h, w) -> logits (n, classes). Throws Error(usage) for images of another size, or if dropout or drop
  // path needs `samples` and their number is not n.
  torch::Tensor forward(const torch::Tensor& images, const ForwardContext& pass);
  const graph::Graph& graph() const;
  // Returns one text for each fused step of several nodes, such as "stages.2.1: mbconv". Fused linear layers are not
  // listed.
  std::vector<std::string> fused_patterns() const;
  // The instruction set of effnet's kernels, such as "avx2"; empty if fused_patterns() is empty.
  std::string isa() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet::nn
