#include "effnet/lab/zero_cost.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>
#include <torch/utils.h>

#include <cmath>
#include <functional>
#include <map>

#include "effnet/graph/counted_costs.h"
#include "effnet/graph/lower.h"
#include "effnet/lab/evaluators.h"
#include "effnet/lab/images.h"
#include "effnet/lab/lab_testing.h"
#include "effnet/lab/supernet.h"
#include "effnet/nn/network.h"

namespace effnet::lab {
namespace {

using testing::HasSubstr;
using testkit::failure;
using testkit::tiny_space;

constexpr std::uint64_t kSeed = 4;

// About 400 parameters, with all parts of an EfficientNet.
arch::ArchSpec small_spec(arch::Activation activation) {
  arch::ArchSpec spec;
  spec.name = "small";
  spec.resolution = 8;
  spec.classes = 3;
  spec.activation = spec.stem.activation = spec.head.activation = activation;
  spec.stem.channels = 4;
  spec.stem.stride = 1;
  spec.stages = {{.channels = 4, .expand = 2, .se = 0.5}, {.channels = 6, .stride = 2, .expand = 2}};
  spec.head.channels = 8;
  return spec;
}

// The tensors of a network in double, which a test can change.
struct Tensors final : nn::ParameterSource {
  explicit Tensors(const graph::Graph& graph) {
    const auto store = nn::ParameterStore::initialised(graph, kSeed);
    for (const nn::ParameterStore::Entry& entry : store->entries())
      values[entry.name] = entry.tensor.detach().to(torch::kDouble);
  }
  torch::Tensor at(const graph::Parameter& parameter) const override { return values.at(parameter.name); }
  std::map<std::string, torch::Tensor> values;
};

// Calls `use(value, derivative)` for each number of each trainable tensor, with the derivative of f by central
// differences.
void each_derivative(const graph::Graph& graph, Tensors& tensors, const std::function<double()>& f,
                     const std::function<void(double, double)>& use) {
  constexpr double kStep = 1e-5;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    if (parameter.statistic()) continue;
    double* const values = tensors.values.at(parameter.name).data_ptr<double>();
    for (std::int64_t i = 0; i < parameter.numel(); ++i) {
      const double value = values[i];
      values[i] = value + kStep;
      const double above = f();
      values[i] = value - kStep;
      const double below = f();
      values[i] = value;
      use(value, (above - below) / (2 * kStep));
    }
  }
}

ZeroCostImages random_images(std::int64_t n, std::int64_t pixels) {
  torch::Tensor images = torch::empty({n, 3, pixels, pixels});
  Philox(5, 1).fill_normal({images.data_ptr<float>(), static_cast<std::size_t>(images.numel())}, 0, 1);
  ZeroCostImages result{.images = images.to(torch::kDouble), .labels = {}};
  for (std::int64_t i = 0; i < n; ++i) result.labels.push_back(i % 3);
  return result;
}

double score(const char* name, const arch::ArchSpec& spec, const ZeroCostImages& images = {}) {
  return zero_cost_score(name).score(spec, kSeed, images);
}

// The definition, with derivatives by differences: the sum of |w dR/dw| for absolute weights and an image of ones.
TEST(Synflow, EqualsTheSumOverAllParameters) {
  const arch::ArchSpec spec = small_spec(arch::Activation::relu);
  const graph::Graph graph = graph::lower(without_drops(spec));
  const auto tensors = std::make_shared<Tensors>(graph);
  for (auto& [name, tensor] : tensors->values) tensor = tensor.abs();
  const double got = score("synflow", spec);
  const torch::NoGradGuard no_gradients;
  nn::Network network(graph, tensors, {.fused = false});
  const torch::Tensor ones = torch::ones({1, 3, 8, 8}, torch::kDouble);
  double sum = 0;
  each_derivative(
      graph, *tensors, [&] { return network.forward(ones, {}).sum().item<double>(); },
      [&](double value, double derivative) { sum += std::abs(value * derivative); });
  // Without the squeeze-and-excitation R is linear in each parameter, and differences are exact but for rounding.
  EXPECT_NEAR(got, std::log(sum), 1e-7);
}

TEST(Synflow, DoesNotDependOnTheKindOfActivation) {
  const double expected = score("synflow", small_spec(arch::Activation::relu));
  EXPECT_EQ(score("synflow", small_spec(arch::Activation::relu6)), expected);
  EXPECT_EQ(score("synflow", small_spec(arch::Activation::silu)), expected);
}

TEST(GradNorm, EqualsTheNormOfDifferences) {
  const arch::ArchSpec spec = small_spec(arch::Activation::silu);  // smooth
  const graph::Graph graph = graph::lower(without_drops(spec));
  const auto tensors = std::make_shared<Tensors>(graph);
  const ZeroCostImages images = random_images(4, 8);
  const double got = score("grad_norm", spec, images);
  const torch::NoGradGuard no_gradients;
  nn::Network network(graph, tensors, {.fused = false});
  const torch::Tensor labels = torch::tensor(images.labels);
  double squares = 0;
  each_derivative(
      graph, *tensors,
      [&] {
        const torch::Tensor logits = network.forward(images.images, {.training = true});
        return torch::nn::functional::cross_entropy(logits, labels).item<double>();
      },
      [&](double, double derivative) { squares += derivative * derivative; });
  EXPECT_NEAR(got, std::sqrt(squares), 1e-6 * got);
  EXPECT_GT(got, 0);
}

// log |det| of a matrix, by Gaussian elimination with pivots.
double log_det(std::vector<std::vector<double>> a) {
  double log = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < a.size(); ++i) {
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    }
    std::swap(a[k], a[pivot]);
    log += std::log(std::abs(a[k][k]));
    for (std::size_t i = k + 1; i < a.size(); ++i) {
      const double factor = a[i][k] / a[k][k];
      for (std::size_t j = k; j < a.size(); ++j) a[i][j] -= factor * a[k][j];
    }
  }
  return log;
}

// The definition: K_ij is the number of activations minus the Hamming distance of the codes. The inputs of the
// activations are the outputs of networks that end there.
TEST(Naswot, EqualsTheDeterminantOfHammingDistances) {
  const arch::ArchSpec spec = small_spec(arch::Activation::silu);
  const graph::Graph graph = graph::lower(without_drops(spec));
  const ZeroCostImages images = random_images(6, 8);
  std::vector<std::vector<bool>> codes(6);
  const torch::NoGradGuard no_gradients;
  for (const graph::Node& node : graph.nodes) {
    const auto* act = std::get_if<graph::Activate>(&node.op);
    if (act == nullptr || act->kind == graph::Activation::sigmoid) continue;
    graph::Graph begin = graph;
    begin.logits = node.inputs[0];
    begin.nodes.resize(static_cast<std::size_t>(begin.logits) + 1);
    nn::Network network(begin, std::make_shared<Tensors>(graph), {.fused = false});
    const torch::Tensor x = network.forward(images.images, {.training = true}).contiguous();
    for (std::int64_t i = 0; i < 6; ++i) {
      for (std::int64_t k = 0; k < x.size(1); ++k)
        codes[static_cast<std::size_t>(i)].push_back(x[i][k].item<double>() > 0);
    }
  }
  std::vector<std::vector<double>> kernel(6, std::vector<double>(6));
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < 6; ++j) {
      double hamming = 0;
      for (std::size_t k = 0; k < codes[i].size(); ++k) hamming += codes[i][k] != codes[j][k];
      kernel[i][j] = static_cast<double>(codes[i].size()) - hamming;
    }
  }
  ASSERT_GT(kernel[0][0], 1000);
  // The matrix is the same; both determinants have a rounding error of a few units in the last place.
  EXPECT_NEAR(score("naswot", spec, images), log_det(kernel), 1e-9);
}

TEST(ZeroCost, BaselinesAreTheCountedCosts) {
  const arch::ArchSpec spec = small_spec(arch::Activation::silu);
  EXPECT_EQ(score("macs", spec), graph::count_macs(spec));
  std::int64_t params = 0;
  for (const graph::Parameter& parameter : graph::parameters(graph::lower(spec)))
    params += parameter.statistic() ? 0 : parameter.numel();
  EXPECT_EQ(score("params", spec), static_cast<double>(params));
}

TEST(ZeroCost, EveryScoreIsFiniteAndRepeatsForTheExtremesOfASpace) {
  const testkit::ImageFolder images;
  const search::Space space = tiny_space();
  for (const ZeroCostScore& row : zero_cost_scores()) {
    SCOPED_TRACE(row.name);
    search::EvaluatorSettings settings{.name = "zerocost", .score = std::string(row.name), .seed = kSeed};
    if (row.needs_images) settings.recipe = testkit::recipe_text(images);
    for (const bool largest : {false, true}) {
      const search::Point point = largest ? testkit::largest_point(space) : testkit::smallest_point(space);
      const auto spec = search::network_of(space, point);
      const double first =
          make_evaluator(space, settings, testkit::place())->evaluate(spec, point, testkit::trial()).value;
      EXPECT_TRUE(std::isfinite(first));
      EXPECT_EQ(make_evaluator(space, settings, testkit::place())->evaluate(spec, point, testkit::trial()).value,
                first);
    }
  }
}

TEST(ZeroCost, TheSeedAndTheRecipeMatter) {
  const testkit::ImageFolder images;
  const search::Space space = tiny_space();
  const search::Point point = testkit::largest_point(space);
  const auto value = [&](const search::EvaluatorSettings& settings) {
    return make_evaluator(space, settings, testkit::place())
        ->evaluate(search::network_of(space, point), point, testkit::trial())
        .value;
  };
  search::EvaluatorSettings settings{.name = "zerocost", .score = "synflow", .seed = 1};
  const double first = value(settings);
  settings.seed = 2;
  EXPECT_NE(value(settings), first);
  settings.score = "macs";
  const double macs = value(settings);
  settings.recipe = "[data]\nresolution = 32\n";  // four times the pixels
  EXPECT_GT(value(settings), 3 * macs);
  settings.score = "naswot";
  settings.recipe.clear();
  EXPECT_THAT(failure([&] { value(settings); }), HasSubstr("2 "));  // no images
}

TEST(ZeroCost, AnUnknownScoreIsAUsageError) {
  EXPECT_THAT(failure([] { zero_cost_score("synflo"); }), HasSubstr("did you mean synflow?"));
  EXPECT_THAT(failure([] { zero_cost_score(""); }), HasSubstr("2 unknown score"));
}

}  // namespace
}  // namespace effnet::lab
