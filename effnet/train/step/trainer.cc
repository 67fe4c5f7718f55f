#include "effnet/train/step/trainer.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <optional>
#include <string_view>

#include "effnet/train/distributed/sync_sum.h"
#include "effnet/train/recipe/schedule.h"
#include "effnet/train/step/depth.h"
#include "effnet/train/step/ema.h"
#include "effnet/train/step/gradients.h"
#include "effnet/train/step/images.h"
#include "effnet/train/step/loss.h"
#include "effnet/train/step/precision.h"

namespace effnet::train {
namespace {

// The tensors that are trained: all but the moving statistics and those of frozen blocks.
std::vector<Trainable> trainables_of(const nn::ParameterStore& store, const Depth& depth, std::size_t frozen_blocks,
                                     double layer_decay) {
  std::vector<Trainable> result;
  for (const nn::ParameterStore::Entry& entry : store.entries()) {
    const std::size_t block = depth.index_of(entry.name);
    if (entry.statistic || block < frozen_blocks) continue;
    const auto blocks_after = static_cast<double>(depth.blocks().size() - 1 - block);
    result.push_back({.name = entry.name,
                      .tensor = entry.tensor,
                      .decays = !entry.batch_norm,
                      .lr_scale = std::pow(layer_decay, blocks_after)});
  }
  return result;
}

// LibTorch has an exception type for out of memory only since 2.0 and only for GPUs. Its CPU allocator throws
// c10::Error, which can only be recognised by its text.
bool out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::Error*>(&error) == nullptr) return false;
  const std::string_view what(error.what());
  return what.find("out of memory") != std::string_view::npos ||
         what.find("can't allocate memory") != std::string_view::npos ||
         what.find("not enough memory") != std::string_view::npos;
}

}  // namespace

struct Trainer::Impl {
  graph::Graph graph;
  std::shared_ptr<nn::ParameterStore> store;
  TrainSettings settings;
  std::uint64_t seed;
  bool sync_bn, bn_warmup, bn_fixed;
  torch::Device device;
  Group& group;
  Precision precision;
  nn::NetworkOptions options{};
  std::shared_ptr<nn::Network> network{}, averaged_network{};  // made by the first use
  std::shared_ptr<Average> average{};                          // null without EMA
  std::unique_ptr<Optimizer> optimizer{};
  std::vector<torch::Tensor> trainables{}, statistics{};  // both without those of frozen blocks
  std::vector<float> class_weights{};                     // one per class; empty: all are 1
  std::int64_t steps = 0, micro_batches = 1;
  LossScale loss_scale{};
  std::function<void(std::int64_t)> hook{};

  struct Sums {
    double loss = 0;
    std::int64_t right = 0;
  };

  const std::shared_ptr<nn::Network>& own_network();
  void check(const data::Batch& batch) const;
  torch::Tensor saved_statistics() const;
  void restore_statistics(const torch::Tensor& saved);
  void average_statistics();
  std::int64_t sum_over_ranks(std::int64_t n) const;
  Sums forward_backward(const data::Batch& batch, Networks networks);
  std::optional<Sums> attempt(const data::Batch& batch, Networks networks, const torch::Tensor& saved);
};

// The network of the graph. A trainer whose steps get other networks does not need it.
const std::shared_ptr<nn::Network>& Trainer::Impl::own_network() {
  if (!network) network = std::make_shared<nn::Network>(graph, store, options);
  return network;
}

void Trainer::Impl::check(const data::Batch& batch) const {
  const auto n = static_cast<std::size_t>(batch.n());
  const std::size_t values = n * static_cast<std::size_t>(graph.input().numel());
  if (batch.images.size() != values || batch.indices.size() != n || batch.lambda.size() != batch.labels_b.size() ||
      (!batch.lambda.empty() && batch.lambda.size() != n)) {
    throw internal_error("batch of the wrong size (got {} values for {} images, expected {})", batch.images.size(), n,
                         values);
  }
}

torch::Tensor Trainer::Impl::saved_statistics() const {
  if (statistics.empty()) return {};
  std::vector<torch::Tensor> flat;
  for (const torch::Tensor& statistic : statistics) flat.push_back(statistic.flatten());
  return torch::cat(flat);
}

void Trainer::Impl::restore_statistics(const torch::Tensor& saved) {
  std::int64_t at = 0;
  for (torch::Tensor& statistic : statistics) {
    statistic.copy_(saved.narrow(0, at, statistic.numel()).view(statistic.sizes()));
    at += statistic.numel();
  }
}

// Statistics that do not change are not averaged: in float32 the mean of equal numbers may differ from them.
void Trainer::Impl::average_statistics() {
  const bool fixed = bn_fixed || options.bn_momentum == 1.0;
  if (group.world() == 1 || sync_bn || fixed || statistics.empty()) return;
  torch::Tensor flat = saved_statistics();
  group.sum(flat);
  flat /= group.world();
  restore_statistics(flat);
}

std::int64_t Trainer::Impl::sum_over_ranks(std::int64_t n) const {
  if (group.world() == 1) return n;
  torch::Tensor sum = torch::tensor(n);
  group.sum(sum);
  return sum.item<std::int64_t>();
}

// Computes the gradients of the global batch's mean loss, times the loss scale; with several networks, of the mean of
// their losses. Returns, for this rank's images, the mean loss and the number of correct predictions of all networks.
Trainer::Impl::Sums Trainer::Impl::forward_backward(const data::Batch& batch, Networks networks) {
  const std::int64_t n = batch.n();
  // The numbers of images of the ranks may differ by one. The mean over the ranks must therefore give a rank with more
  // images a larger weight. All ranks must use the same number of micro-batches, since batch norms exchange sums in
  // each of them.
  const std::int64_t all = sum_over_ranks(n);
  const std::int64_t count = std::min({micro_batches, n, all / group.world()});
  const double weight = static_cast<double>(n * group.world()) / static_cast<double>(all);
  const double factor = weight * (precision == Precision::fp16 ? loss_scale.scale : 1);
  nn::ForwardContext pass;
  pass.training = true;
  pass.seed = seed;
  pass.epoch = batch.epoch;
  pass.fixed_statistics = bn_fixed;
  if (bn_warmup) pass.max_momentum = decay_at_step(1, steps);
  if (sync_bn && group.world() > 1) pass.all_reduce = [this](const torch::Tensor& x) { return sync_sum(x, group); };
  torch::Tensor sums = torch::zeros({2}, torch::dtype(torch::kDouble).device(device));  // loss, right
  for (std::int64_t micro_batch = 0; micro_batch < count; ++micro_batch) {
    const std::int64_t first = micro_batch * n / count, size = (micro_batch + 1) * n / count - first;
    if (hook) hook(size);
    std::vector<std::int64_t> labels;
    for (std::int64_t i = first; i < first + size; ++i) labels.push_back(main_label(batch, i));
    pass.samples.assign(batch.indices.begin() + first, batch.indices.begin() + first + size);
    const torch::Tensor targets =
        soft_targets(batch, first, size, graph.classes(), settings.label_smoothing, class_weights).to(device);

    const torch::Tensor images = images_of(batch, first, size, graph.input(), device);
    const torch::Tensor main_labels = torch::tensor(labels).to(device);
    for (const std::shared_ptr<nn::Network>& one : networks) {
      torch::Tensor logits;
      {
        const Autocast autocast(precision, device);
        logits = one->forward(images, pass);
      }
      const torch::Tensor loss = cross_entropy_sum(logits, targets) / static_cast<double>(n * std::ssize(networks));
      const bool last = micro_batch + 1 == count && &one == &networks.back();
      if (last) group.begin_gradients(trainables);  // the last backward pass completes the gradients
      (factor == 1 ? loss : loss * factor).backward();
      if (last) group.end_gradients();
      const torch::Tensor right = (logits.detach().argmax(1) == main_labels).sum();
      sums += torch::stack({loss.detach().to(torch::kDouble), right.to(torch::kDouble)});
    }
  }
  sums = sums.cpu();  // this is the only place that waits for the device
  return {sums[0].item<double>(), static_cast<std::int64_t>(sums[1].item<double>())};
}

// Returns nothing if memory ran out. Then, and after an exception, the moving statistics have their values from before
// the call, and there are no gradients.
std::optional<Trainer::Impl::Sums> Trainer::Impl::attempt(const data::Batch& batch, Networks networks,
                                                          const torch::Tensor& saved) {
  drop_gradients(trainables);
  try {
    return forward_backward(batch, networks);
  } catch (const std::exception& error) {
    drop_gradients(trainables);
    restore_statistics(saved);
    if (!out_of_memory(error)) throw;
  }
  return std::nullopt;
}

Trainer::Trainer(graph::Graph graph, std::shared_ptr<nn::ParameterStore> store, const Recipe& recipe,
                 torch::Device device, Group& group, std::vector<float> class_weights)
    : impl_(new Impl{.graph = std::move(graph),
                     .store = std::move(store),
                     .settings = recipe.train,
                     .seed = recipe.seed,
                     .sync_bn = recipe.sync_bn,
                     .bn_warmup = recipe.bn_warmup,
                     .bn_fixed = recipe.bn_fixed,
                     .device = device,
                     .group = group,
                     .precision = precision_on(device, recipe.train.precision)}) {
  Impl& impl = *impl_;
  impl.store->to(device);
  impl.options.fused = recipe.train.fused && device.is_cpu() && impl.precision == Precision::fp32;
  impl.options.unbiased_moving_variance = recipe.unbiased_moving_variance;
  if (recipe.bn_momentum >= 0) impl.options.bn_momentum = recipe.bn_momentum;
  const Depth depth(impl.graph);
  const std::size_t frozen_blocks = depth.count_up_to(recipe.model.freeze);
  impl.options.first_trained = depth.node_after(frozen_blocks);
  std::vector<Trainable> trainables = trainables_of(*impl.store, depth, frozen_blocks, recipe.optimizer.layer_decay);
  for (const Trainable& trainable : trainables) impl.trainables.push_back(trainable.tensor);
  for (const nn::ParameterStore::Entry& entry : impl.store->entries()) {
    if (entry.statistic && depth.index_of(entry.name) >= frozen_blocks) impl.statistics.push_back(entry.tensor);
  }
  impl.optimizer = make_optimizer(recipe.optimizer, std::move(trainables));
  if (recipe.ema_decay > 0) impl.average = std::make_shared<Average>(impl.store, recipe.ema_decay);
  impl.micro_batches = recipe.train.accumulate;
  impl.class_weights = std::move(class_weights);
}

Trainer::~Trainer() = default;

StepResult Trainer::step(const data::Batch& batch, double lr, Networks networks) {
  Impl& impl = *impl_;
  impl.check(batch);
  EFFNET_CHECK(networks.empty() || impl.group.world() == 1);
  if (networks.empty()) networks = Networks(&impl.own_network(), 1);
  const torch::Tensor saved = impl.saved_statistics();
  std::optional<Impl::Sums> sums = impl.attempt(batch, networks, saved);
  while (!sums) {
    if (impl.group.world() > 1 || impl.micro_batches >= batch.n()) {
      throw environment_error("out of memory (failed to compute a micro-batch of {} images)",
                              std::max<std::int64_t>(1, batch.n() / impl.micro_batches))
          .with_hint(impl.group.world() > 1 ? "a larger train.accumulate needs less memory"
                                            : "a smaller data.resolution or model needs less memory");
    }
    impl.micro_batches = std::min(2 * impl.micro_batches, batch.n());
    sums = impl.attempt(batch, networks, saved);
  }

  StepResult result{.loss = sums->loss, .right = sums->right, .images = batch.n() * std::ssize(networks)};
  const bool scaled = impl.precision == Precision::fp16;
  const double scale = scaled ? impl.loss_scale.scale : 1;
  std::vector<torch::Tensor> gradients = gradients_of(impl.trainables);
  result.gradient_norm = norm_of(gradients) / scale;
  if (!std::isfinite(result.gradient_norm) || (!scaled && !std::isfinite(result.loss))) {
    drop_gradients(impl.trainables);
    impl.restore_statistics(saved);
    if (scaled && impl.loss_scale.overflowed()) {
      return {.gradient_norm = result.gradient_norm, .skipped = true};
    }
    throw NotFinite(fmt::format("training has diverged at step {}, batch {} of epoch {} (got loss {} and gradient norm "
                                "{}, expected finite numbers)",
                                impl.steps + 1, batch.number + 1, batch.epoch + 1, result.loss, result.gradient_norm),
                    kDivergedHint);
  }
  const double clip = impl.settings.clip_norm;
  const double factor = (clip > 0 && result.gradient_norm > clip ? clip / result.gradient_norm : 1) / scale;
  if (factor != 1) {
    const torch::NoGradGuard no_gradients;
    at::_foreach_mul_(gradients, factor);
  }
  impl.optimizer->step(lr);
  impl.average_statistics();
  if (impl.average) impl.average->update(impl.steps);
  if (scaled) impl.loss_scale.good();
  ++impl.steps;
  return result;
}

torch::Tensor Trainer::evaluate(const data::Batch& batch, bool averaged) {
  Impl& impl = *impl_;
  impl.check(batch);
  const torch::NoGradGuard no_gradients;
  if (averaged && impl.average && !impl.averaged_network) {
    impl.averaged_network = std::make_shared<nn::Network>(impl.graph, impl.average, impl.options);
  }
  nn::Network& network = averaged && impl.average ? *impl.averaged_network : *impl.own_network();
  const std::int64_t n = batch.n();
  const std::int64_t count = std::min(impl.micro_batches, n);  // the size of training, which fits in memory
  std::vector<torch::Tensor> logits{torch::empty({0, impl.graph.classes()})};
  for (std::int64_t micro_batch = 0; micro_batch < count; ++micro_batch) {
    const std::int64_t first = micro_batch * n / count, size = (micro_batch + 1) * n / count - first;
    logits.push_back(network.forward(images_of(batch, first, size, impl.graph.input(), impl.device), {})
                         .to(torch::kCPU, torch::kFloat));
  }
  return torch::cat(logits);
}

void Trainer::on_micro_batch(std::function<void(std::int64_t)> hook) { impl_->hook = std::move(hook); }
std::int64_t Trainer::steps() const { return impl_->steps; }
bool Trainer::has_average() const { return impl_->average != nullptr; }
std::string Trainer::isa() const { return impl_->own_network()->isa(); }
const nn::NetworkOptions& Trainer::network_options() const { return impl_->options; }
std::shared_ptr<nn::ParameterStore> Trainer::weights() const { return impl_->store; }
tensor::Weights Trainer::averaged_weights() const {
  return impl_->average ? impl_->average->weights() : impl_->store->weights();
}

std::vector<std::pair<std::string, torch::Tensor>> Trainer::state() {
  std::vector<std::pair<std::string, torch::Tensor>> result;
  for (const nn::ParameterStore::Entry& entry : impl_->store->entries()) {
    result.emplace_back("model/" + entry.name, entry.tensor.detach());
  }
  if (impl_->average) {
    for (auto& [name, tensor] : impl_->average->state()) result.emplace_back("ema/" + name, tensor);
  }
  for (auto& [name, tensor] : impl_->optimizer->state()) result.emplace_back("optimizer/" + name, tensor);
  return result;
}

std::vector<std::pair<std::string, double>> Trainer::scalars() const {
  return {{"steps", static_cast<double>(impl_->steps)},
          {"parts", static_cast<double>(impl_->micro_batches)},
          {"loss_scale", impl_->loss_scale.scale},
          {"good_steps", static_cast<double>(impl_->loss_scale.good_steps)}};
}

void Trainer::set_scalar(const std::string& name, double value) {
  constexpr double kMost = 0x1p53;
  const bool whole = value == std::floor(value) && value >= 0 && value <= kMost;
  if (name == "steps" && whole) {
    impl_->steps = static_cast<std::int64_t>(value);
  } else if (name == "parts" && whole && value >= 1) {
    impl_->micro_batches = static_cast<std::int64_t>(value);
  } else if (name == "loss_scale" && value > 0 && value <= kMost) {
    impl_->loss_scale.scale = value;
  } else if (name == "good_steps" && whole) {
    impl_->loss_scale.good_steps = static_cast<std::int64_t>(value);
  } else {
    throw input_error(
        "invalid number in the checkpoint (got {} = {}, expected steps or good_steps of at least 0, parts of at least "
        "1, "
        "or loss_scale above 0)",
        name, value);
  }
}

}  // namespace effnet::train
