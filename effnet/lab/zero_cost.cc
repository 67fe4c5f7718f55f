#include "effnet/lab/zero_cost.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>

#include "effnet/base/error.h"
#include "effnet/base/names.h"
#include "effnet/data/loader.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/graph/lower.h"
#include "effnet/lab/images.h"
#include "effnet/nn/network.h"
#include "effnet/nn/step.h"
#include "effnet/search/study/worker.h"
#include "effnet/train/step/images.h"
#include "effnet/train/step/loss.h"

namespace effnet::lab {
namespace {

using torch::Tensor;

// The initial weights of a seed in double.
class InitialWeights final : public nn::ParameterSource {
 public:
  // `absolute`: each value without its sign.
  InitialWeights(const graph::Graph& graph, std::uint64_t seed, bool absolute) {
    const auto store = nn::ParameterStore::initialised(graph, seed);
    for (const nn::ParameterStore::Entry& entry : store->entries()) {
      const Tensor values = entry.tensor.detach().to(torch::kDouble);
      tensors_[entry.name] = (absolute ? values.abs() : values).set_requires_grad(!entry.statistic);
    }
  }
  Tensor at(const graph::Parameter& parameter) const override { return tensors_.at(parameter.name); }
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

 private:
  std::map<std::string, Tensor> tensors_;
};

// A network with its initial weights.
struct Initialised {
  Initialised(const arch::ArchSpec& spec, std::uint64_t seed, bool absolute = false)
      : graph(graph::lower(without_drops(spec))),
        weights(std::make_shared<InitialWeights>(graph, seed, absolute)),
        network(graph, weights, {.fused = false}) {}

  graph::Graph graph;
  std::shared_ptr<InitialWeights> weights;
  nn::Network network;
};

arch::ArchSpec with_relu(arch::ArchSpec spec) {
  for (arch::Activation* const one : {&spec.activation, &spec.stem.activation, &spec.head.activation}) {
    if (*one != arch::Activation::none) *one = arch::Activation::relu;
  }
  return spec;
}

// Tanaka et al., NeurIPS 2020, "Pruning neural networks without any data by iteratively conserving synaptic flow",
// equation 1 and algorithm 1: R is the sum of the logits for an image of ones with absolute weights; the score is the
// sum over all parameters of |w dR/dw|. Batch norm has the moving statistics of a new network, mean 0 and variance 1:
// the statistics of the batch would make R independent of the weights before it. All activations become ReLU, which
// passes all values on, because they are positive; ReLU6 would cut them off. The logarithm does not change the order;
// the sum of a deep network is 1e60 and more.
double synflow(const arch::ArchSpec& spec, std::uint64_t seed, const ZeroCostImages&) {
  Initialised one(with_relu(spec), seed, /*absolute=*/true);
  const Chw& in = one.graph.input();
  one.network.forward(torch::ones({1, in.c, in.h, in.w}, torch::kDouble), {}).sum().backward();
  double sum = 0;
  for (const auto& [name, tensor] : one.weights->tensors()) {
    if (tensor.grad().defined()) sum += (tensor.detach() * tensor.grad()).abs().sum().item<double>();
  }
  return std::log(sum);
}

// Whether the activation suppresses negative inputs. The sigmoid of squeeze-and-excitation does not.
bool makes_a_code(graph::Activation kind) {
  return kind != graph::Activation::none && kind != graph::Activation::sigmoid;
}

// Adds the layer to the matrix K of naswot: K_ij is the number of positions at which the codes of images i and j are
// equal. `x`: n x positions, before the activation.
void add_equal_positions(const Tensor& x, Tensor& k) {
  const Tensor code = (x > 0).to(torch::kDouble);  // sums of up to 2^53 ones are exact
  const Tensor ones = code.sum(1);
  const auto positions = static_cast<double>(code.size(1));
  k += positions - ones.unsqueeze(0) - ones.unsqueeze(1) + 2 * code.mm(code.t());
}

// Mellor et al., ICML 2021, "Neural Architecture Search without Training", section 3: log |det K_H|. The code of an
// image has one bit for each activation: whether its input is positive. Batch norm uses the statistics of the batch.
double naswot(const arch::ArchSpec& spec, std::uint64_t seed, const ZeroCostImages& images) {
  const torch::NoGradGuard no_gradients;
  const graph::Graph graph = graph::lower(without_drops(spec));
  const InitialWeights weights(graph, seed, /*absolute=*/false);
  const nn::Bind bind = [&](const std::string& name) { return weights.tensors().at(name); };
  const std::int64_t n = images.images.size(0);
  Tensor k = torch::zeros({n, n}, torch::kDouble);
  std::vector<Tensor> values(graph.nodes.size());
  std::vector<std::size_t> readers(graph.nodes.size());  // of each value, that have not run yet
  for (const graph::Node& node : graph.nodes) {
    for (const graph::NodeId input : node.inputs) ++readers[static_cast<std::size_t>(input)];
  }
  values[0] = images.images;
  for (graph::NodeId id = 1; id < std::ssize(graph.nodes); ++id) {
    const graph::Node& node = graph.at(id);
    std::vector<Tensor> inputs;
    inputs.reserve(node.inputs.size());
    for (const graph::NodeId input : node.inputs) {
      Tensor& value = values[static_cast<std::size_t>(input)];
      inputs.push_back(value);
      if (--readers[static_cast<std::size_t>(input)] == 0) value.reset();
    }
    if (const auto* act = std::get_if<graph::Activate>(&node.op); act != nullptr && makes_a_code(act->kind))
      add_equal_positions(inputs[0].flatten(1), k);
    values[static_cast<std::size_t>(id)] = nn::plain_step(graph, id, bind, {}).run(inputs, {.training = true});
  }
  return std::get<1>(at::linalg_slogdet(k)).item<double>();
}

// The norm of the gradient of the mean cross entropy (Abdelfattah et al., ICLR 2021, "Zero-Cost Proxies for Lightweight
// NAS", section 3.2), over all parameters together. Batch norm uses the statistics of the batch.
double grad_norm(const arch::ArchSpec& spec, std::uint64_t seed, const ZeroCostImages& images) {
  Initialised one(spec, seed);
  data::Batch batch;
  batch.labels = images.labels;
  const Tensor targets =
      train::soft_targets(batch, 0, batch.n(), one.graph.classes(), /*smoothing=*/0).to(torch::kDouble);
  const Tensor logits = one.network.forward(images.images, {.training = true});
  (train::cross_entropy_sum(logits, targets) / static_cast<double>(batch.n())).backward();
  double squares = 0;
  for (const auto& [name, tensor] : one.weights->tensors()) {
    if (tensor.grad().defined()) squares += tensor.grad().square().sum().item<double>();
  }
  return std::sqrt(squares);
}

constexpr std::array kScores{
    ZeroCostScore{"synflow", "synaptic flow (Tanaka et al. 2020)", false, synflow},
    ZeroCostScore{"naswot", "distances of activation codes (Mellor et al. 2021)", true, naswot},
    ZeroCostScore{"grad_norm", "norm of the gradient (Abdelfattah et al. 2021)", true, grad_norm},
    ZeroCostScore{
        "macs", "the MACs of the network, as a baseline", false,
        [](const arch::ArchSpec& spec, std::uint64_t, const ZeroCostImages&) { return graph::count_macs(spec); }},
    ZeroCostScore{"params", "the parameters of the network, as a baseline", false,
                  [](const arch::ArchSpec& spec, std::uint64_t, const ZeroCostImages&) {
                    return graph::find_counted_cost("params")->count(spec);
                  }},
};

class ZeroCostEvaluator final : public search::Evaluator {
 public:
  ZeroCostEvaluator(const ZeroCostScore& score, std::uint64_t seed, const train::Recipe& recipe, std::int64_t classes,
                    ZeroCostImages images)
      : score_(score), seed_(seed), recipe_(recipe), classes_(classes), images_(std::move(images)) {}

  search::Quality evaluate(const arch::ArchSpec& spec, const search::Point&, const search::Trial&) override {
    arch::ArchSpec sized = train::run_model_of(spec, recipe_).arch;
    sized.classes = classes_;
    const double value = score_.score(sized, seed_, images_);
    if (!std::isfinite(value))
      throw search::CandidateError(fmt::format("the score {} is not finite (got {})", score_.name, value));
    return {.value = value, .details = fmt::format(R"({{"score":"{}"}})", score_.name)};
  }
  std::int64_t classes() const override { return score_.needs_images ? classes_ : 0; }

 private:
  const ZeroCostScore& score_;
  std::uint64_t seed_;
  train::Recipe recipe_;
  std::int64_t classes_;
  ZeroCostImages images_;
};

ZeroCostImages first_batch(const Images& images, const train::Recipe& recipe, std::uint64_t seed) {
  data::LoaderOptions options = train::loader_options(recipe, /*threads=*/1);
  options.seed = seed;
  options.workers = 0;  // a single batch
  data::TrainingLoader loader(images.data.train, train::training_view(recipe, images.model), options);
  const data::Batch batch = loader.next();
  const Size size = images.model.resolution();
  return {.images = train::images_of(batch, 0, batch.n(), {3, size.h, size.w}, torch::kCPU).to(torch::kDouble),
          .labels = batch.labels};
}

}  // namespace

std::span<const ZeroCostScore> zero_cost_scores() { return kScores; }

const ZeroCostScore& zero_cost_score(std::string_view name) {
  return row_named(kScores, name, ErrorCode::usage, "unknown score");
}

std::unique_ptr<search::Evaluator> make_zero_cost_evaluator(const search::Space& space,
                                                            const search::EvaluatorSettings& settings,
                                                            const search::EvaluatorPlace&) {
  const ZeroCostScore& score = zero_cost_score(settings.score);
  train::Recipe recipe = train::parse_recipe(settings.recipe, kStudyRecipe);
  recipe.train.batch = std::min(kZeroCostImages, recipe.train.batch);
  at::set_num_threads(1);
  std::int64_t classes = space.base.classes;
  ZeroCostImages batch;
  if (score.needs_images) {
    const Images images = open_images(space.base, recipe);
    classes = images.data.classes;
    batch = first_batch(images, recipe, settings.seed);
  }
  return std::make_unique<ZeroCostEvaluator>(score, settings.seed, recipe, classes, std::move(batch));
}

}  // namespace effnet::lab
