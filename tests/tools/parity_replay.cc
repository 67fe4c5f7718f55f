// Trains a model on given batches and writes losses and gradients. tests/integration/test_train_parity.py compares them
// with PyTorch's.
//
//   parity_replay MODEL BATCHES OUT OPTIMIZER LR fused|plain|double
//
// BATCHES (safetensors): images (steps, n, 3, h, w) float32, normalised; labels (steps, n) int64.
// OUT: losses (steps) float64, each before its update; gradient/<parameter> of the first batch, before the first
// update; first/<statistic> after the first step. Momentum and decay are 0.9, epsilon is 1e-3. The momentum of batch
// norm is 0.9, and its moving variance is the average of unbiased variances, as in PyTorch. There is no regularisation.
// `double` computes only the first loss and gradients, in double precision.
#include <torch/nn/functional/loss.h>
#include <torch/types.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/formats/model_file.h"
#include "effnet/formats/safetensors.h"
#include "effnet/graph/lower.h"
#include "effnet/nn/network.h"
#include "effnet/train/distributed/group.h"
#include "effnet/train/step/trainer.h"

namespace {

using namespace effnet;

tensor::Tensor to_file(const torch::Tensor& tensor) {
  const torch::Tensor plain = tensor.detach().to(torch::kFloat).contiguous();
  const float* const first = plain.data_ptr<float>();
  return tensor::make_tensor(plain.sizes().vec(), {first, first + plain.numel()});
}

struct Batches {
  torch::Tensor images, labels;
  std::int64_t steps() const { return labels.size(0); }
};
Batches read_batches(const std::string& path) {
  const tensor::Weights file = formats::read_safetensors(path);
  const tensor::Tensor &images = file.at("images"), &labels = file.at("labels");
  Batches batches{torch::empty(images.dims, torch::kFloat), torch::empty(labels.dims, torch::kLong)};
  if (images.dtype != tensor::Dtype::f32 || labels.dtype != tensor::Dtype::i64 || images.dims.size() != 5 ||
      labels.dims != tensor::Dims{images.dims[0], images.dims[1]}) {
    throw input_error("{}: wrong shapes (expected images (steps, n, 3, h, w) float32 and labels (steps, n) int64)",
                      path);
  }
  std::memcpy(batches.images.data_ptr(), images.bytes.data(), images.bytes.size());
  std::memcpy(batches.labels.data_ptr(), labels.bytes.data(), labels.bytes.size());
  return batches;
}

data::Batch batch_of(const Batches& batches, std::int64_t step) {
  data::Batch batch;
  const torch::Tensor images = batches.images[step].permute({0, 2, 3, 1}).contiguous();
  const torch::Tensor labels = batches.labels[step].contiguous();
  batch.number = step;
  batch.images.assign(images.data_ptr<float>(), images.data_ptr<float>() + images.numel());
  batch.labels.assign(labels.data_ptr<std::int64_t>(), labels.data_ptr<std::int64_t>() + labels.numel());
  for (std::int64_t i = 0; i < batch.n(); ++i) batch.indices.push_back(step * batch.n() + i);
  return batch;
}

// The tensors of a store in double precision.
struct DoubleSource : nn::ParameterSource {
  explicit DoubleSource(nn::ParameterStore& from) : store(from) {}
  torch::Tensor at(const graph::Parameter& parameter) const override {
    torch::Tensor& tensor = tensors[parameter.name];
    tensor = store.at(parameter).detach().to(torch::kDouble).set_requires_grad(!parameter.statistic());
    return tensor;
  }
  nn::ParameterStore& store;
  mutable std::map<std::string, torch::Tensor> tensors;
};

// Returns the loss of the first batch and adds its gradients to `out`. Momentum 1 keeps the statistics unchanged.
double first_gradients(const graph::Graph& graph, const std::shared_ptr<nn::ParameterSource>& source,
                       const Batches& batches, bool fused, torch::Dtype dtype, tensor::Weights& out) {
  nn::Network network(graph, source, {.fused = fused, .bn_momentum = 1.0});
  const torch::Tensor logits = network.forward(batches.images[0].to(dtype), {.training = true});
  const torch::Tensor loss = torch::nn::functional::cross_entropy(logits, batches.labels[0]);
  loss.backward();
  for (auto& entry : network.named_parameters()) {
    out.tensors["gradient/" + entry.key()] = to_file(entry.value().grad());
    entry.value().mutable_grad().reset();
  }
  return loss.item<double>();
}

void run(const std::string& model_path, const std::string& batches_path, const std::string& out_path,
         const std::string& optimizer, double lr, std::string_view kernels) {
  formats::Model model = formats::read_model(model_path);
  const Batches batches = read_batches(batches_path);
  model.arch.dropout = model.arch.drop_path = 0;
  const Size size{batches.images.size(3), batches.images.size(4)};
  const graph::Graph graph = graph::lower(model.arch, {.resolution = size});
  const auto store = nn::ParameterStore::from_weights(graph, model.weights);
  tensor::Weights out;

  std::vector<double> losses;
  const auto finish = [&] {
    out.tensors["losses"] = {
        tensor::Dtype::f64, {static_cast<std::int64_t>(losses.size())}, std::as_bytes(std::span(losses)), nullptr};
    formats::write_safetensors(out_path, out);
  };
  if (kernels == "double") {
    losses.push_back(
        first_gradients(graph, std::make_shared<DoubleSource>(*store), batches, false, torch::kDouble, out));
    return finish();
  }
  const bool fused = kernels == "fused";
  first_gradients(graph, store, batches, fused, torch::kFloat, out);

  train::Recipe recipe;
  recipe.optimizer.name = named_in(train::kOptimizers, optimizer, "optimiser");
  recipe.optimizer.weight_decay = 0;
  recipe.train.label_smoothing = 0;
  recipe.train.fused = fused;
  recipe.ema_decay = 0;
  recipe.bn_momentum = 0.9;
  recipe.bn_warmup = false;  // as in torch.nn.BatchNorm2d
  recipe.unbiased_moving_variance = true;
  const auto group = train::single_process();
  train::Trainer trainer(graph, store, recipe, torch::kCPU, *group);
  for (std::int64_t step = 0; step < batches.steps(); ++step) {
    losses.push_back(trainer.step(batch_of(batches, step), lr).loss);
    if (step > 0) continue;
    for (const nn::ParameterStore::Entry& entry : store->entries()) {
      if (entry.statistic) out.tensors["first/" + entry.name] = to_file(entry.tensor);
    }
  }
  finish();
}

}  // namespace

int main(int argc, char** argv) {
  double lr = 0;
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments.size() != 6 ||
      std::from_chars(arguments[4].data(), arguments[4].data() + arguments[4].size(), lr).ec != std::errc() ||
      (arguments[5] != "fused" && arguments[5] != "plain" && arguments[5] != "double")) {
    std::fprintf(stderr, "usage: parity_replay MODEL BATCHES OUT OPTIMIZER LR fused|plain|double\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argv[3], argv[4], lr, arguments[5]);
  } catch (const effnet::Error& error) {
    std::fprintf(stderr, "parity_replay: %s\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}
