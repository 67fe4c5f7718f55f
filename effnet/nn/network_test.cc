#include "effnet/nn/network.h"

#include <gtest/gtest.h>
#include <torch/nn/functional/loss.h>

#include <set>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/formats/model_file.h"
#include "effnet/graph/lower.h"
#include "effnet/nn/nn_testing.h"

namespace effnet::nn {
namespace {

graph::Graph small(const arch::ArchSpec& spec, Size size = {64, 64}) {
  return graph::lower(spec, {.resolution = size, .classes = 5});
}
graph::Graph small(const std::string& name) { return small(arch::variant(name).spec); }

// The same network without dropout and drop path, so that a forward pass needs no sample indices.
arch::ArchSpec without_drops(arch::ArchSpec spec) {
  spec.dropout = spec.drop_path = 0;
  return spec;
}

// AmoebaNet-B with a sixteenth of the channels and at most 2 repeats per stage. It has all ops of AmoebaNet-B and runs
// in a short time.
arch::ArchSpec small_amoebanet() {
  arch::ArchSpec spec = arch::variant("amoebanet_b").spec;
  for (arch::StageSpec& stage : spec.stages) {
    stage.channels /= 16;
    stage.repeats = std::min<std::int64_t>(stage.repeats, 2);
  }
  return spec;
}

// Returns tensors with the right dims that need the memory of one number only.
struct EmptySource : ParameterSource {
  torch::Tensor at(const graph::Parameter& parameter) const override {
    return torch::zeros({1}).expand(parameter.dims);
  }
};

void expect_canonical_names(const Network& network) {
  std::set<std::string> parameters, statistics;
  for (const graph::Parameter& parameter : graph::parameters(network.graph())) {
    (parameter.statistic() ? statistics : parameters).insert(parameter.name);
  }
  std::set<std::string> got_parameters, got_buffers;
  for (const auto& entry : network.named_parameters()) got_parameters.insert(entry.key());
  for (const auto& entry : network.named_buffers()) got_buffers.insert(entry.key());
  EXPECT_EQ(got_parameters, parameters);
  EXPECT_EQ(got_buffers, statistics);
}

class NamedModelNetwork : public testing::TestWithParam<std::string> {};

// Forward and backward give a finite gradient for every parameter. Models of more than 50 million weights (B7,
// ResNet-152 and larger, with up to 2 GB of weights and the same amount of gradients) are only constructed.
TEST_P(NamedModelNetwork, HasCanonicalNamesAndFiniteGradients) {
  const graph::Graph graph = small(GetParam());
  constexpr std::int64_t kMaxWeights = 50'000'000;
  std::int64_t weights = 0;
  for (const graph::Parameter& parameter : graph::parameters(graph)) weights += parameter.numel();
  if (weights > kMaxWeights) {
    expect_canonical_names(Network(graph, std::make_shared<EmptySource>()));
    return;
  }
  const auto store = ParameterStore::initialised(graph, 0);
  Network network(graph, store);
  expect_canonical_names(network);
  const torch::Tensor logits = network.forward(testkit::images(graph, 2), testkit::training_pass(2));
  ASSERT_EQ(logits.sizes().vec(), (std::vector<std::int64_t>{2, 5}));
  torch::nn::functional::cross_entropy(logits, torch::tensor({1, 3})).backward();
  for (const auto& entry : network.named_parameters()) {
    ASSERT_TRUE(entry.value().grad().defined()) << entry.key();
    EXPECT_TRUE(entry.value().grad().isfinite().all().item<bool>()) << entry.key();
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const arch::Variant& variant : arch::family()) all.push_back(variant.name);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Family, NamedModelNetwork, testing::ValuesIn(names()),
                         [](const auto& parameter) { return parameter.param; });

// The logits must equal those of the engine's reference executor, which shares no code with LibTorch. The tolerance is
// the rounding error of this network (engine_testing.h). Momentum 0 sets the moving statistics to those of one batch.
void expect_reference(const arch::ArchSpec& spec, Size size) {
  const graph::Graph graph = small(spec, size);
  const auto store = testkit::random_store(graph);
  const torch::Tensor images = testkit::images(graph, 4);
  const torch::NoGradGuard no_gradient;
  Network(small(without_drops(spec), size), store, {.bn_momentum = 0.0}).forward(images, {.training = true});
  const torch::Tensor logits = Network(graph, store).forward(images, {});

  const engine::Parameters parameters(store->weights());
  const std::span<const float> input(images.data_ptr<float>(), static_cast<std::size_t>(images.numel()));
  const engine::testkit::Truth truth = engine::testkit::truth_of(graph, parameters, input, 4);
  const torch::Tensor plain = logits.contiguous();
  const std::span<const float> got(plain.data_ptr<float>(), static_cast<std::size_t>(plain.numel()));
  EXPECT_LE(engine::testkit::largest_difference(got, truth.values), truth.tolerance) << spec.name;
  const double largest = engine::testkit::largest_of(truth.values);
  EXPECT_GT(largest, 1e-3) << spec.name;
  EXPECT_LE(truth.tolerance, 1e-3 * largest) << spec.name << " amplifies rounding too much for this comparison";
}

TEST(Network, InferenceMatchesTheReferenceExecutor) {
  for (const char* name : {"efficientnet_b0", "efficientnet_lite0", "mobilenet_v2", "mobilenet_v1", "resnet50"}) {
    expect_reference(arch::variant(name).spec, {72, 89});
  }
  expect_reference(small_amoebanet(), {97, 97});
}

TEST(Network, InferenceMatchesWithBothPaddingRules) {
  for (const char* name : {"efficientnet_b0", "resnet50"}) {
    arch::ArchSpec spec = arch::variant(name).spec;
    const bool same = spec.padding == arch::Padding::same;
    spec.padding = spec.stem.padding = same ? arch::Padding::symmetric : arch::Padding::same;
    expect_reference(spec, {64, 80});
  }
}

// Covers the gradients of AmoebaNet's pads, concatenations and pools.
TEST(Network, AmoebaNetHasFiniteGradients) {
  const graph::Graph graph = small(small_amoebanet(), {65, 65});
  const auto store = testkit::random_store(graph);
  Network network(graph, store);
  network.forward(testkit::images(graph, 2), testkit::training_pass(2)).square().sum().backward();
  for (const auto& entry : network.named_parameters()) {
    ASSERT_TRUE(entry.value().grad().defined()) << entry.key();
    EXPECT_TRUE(entry.value().grad().isfinite().all().item<bool>()) << entry.key();
  }
}

// Copying weights into a store and out of it again changes no bit.
TEST(Network, StoreKeepsWeightsToTheBit) {
  const arch::ArchSpec spec = arch::variant("efficientnet_b0").spec;
  const graph::Graph graph = graph::lower(spec);
  tensor::Weights before;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    const torch::Tensor values = testkit::normal(parameter.name, parameter.dims);
    const float* first = values.data_ptr<float>();
    before.tensors[parameter.name] = tensor::make_tensor(parameter.dims, {first, first + values.numel()});
  }
  const auto store = ParameterStore::from_weights(graph, before);
  const tensor::Weights after = store->weights();
  ASSERT_EQ(after.tensors.size(), before.tensors.size());
  for (const auto& [name, tensor] : before.tensors) {
    EXPECT_EQ(after.at(name).dims, tensor.dims) << name;
    EXPECT_TRUE(std::ranges::equal(after.at(name).bytes, tensor.bytes)) << name;
  }
  // from_weights() and weights() copy: a later change of the store changes neither its source nor its result.
  const torch::NoGradGuard no_gradient;
  testkit::tensor_of(*store, "classifier.bias").fill_(7);
  EXPECT_TRUE(std::ranges::equal(after.at("classifier.bias").bytes, before.at("classifier.bias").bytes));
}

TEST(Network, EntriesAreMarkedAsStatisticOrBatchNorm) {
  const graph::Graph graph = small("mobilenet_v2");
  const auto store = ParameterStore::initialised(graph, 0);
  const std::vector<graph::Parameter> parameters = graph::parameters(graph);
  ASSERT_EQ(store->entries().size(), parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const ParameterStore::Entry& entry = store->entries()[i];
    EXPECT_EQ(entry.name, parameters[i].name);
    EXPECT_EQ(entry.statistic, parameters[i].statistic());
    EXPECT_EQ(entry.tensor.requires_grad(), !entry.statistic);
    EXPECT_EQ(entry.batch_norm, entry.name.find(".bn.") != std::string::npos) << entry.name;
  }
}

TEST(Network, WeightsThatDoNotFitAreInputErrors) {
  const graph::Graph graph = small("mobilenet_v2");
  tensor::Weights weights = ParameterStore::initialised(graph, 0)->weights();
  const graph::Graph other =
      graph::lower(arch::variant("mobilenet_v2").spec, {.resolution = Size{64, 64}, .classes = 7});
  EXPECT_THROW(ParameterStore::from_weights(other, weights), Error);
  // A classifier of other dims is initialised; all other tensors are kept.
  const auto store = ParameterStore::from_weights(other, weights, true, 9);
  const tensor::Weights taken = store->weights(), fresh = ParameterStore::initialised(other, 9)->weights();
  for (const auto& [name, tensor] : taken.tensors) {
    const tensor::Weights& from = name.starts_with("classifier.") ? fresh : weights;
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, from.at(name).bytes)) << name;
  }
  // A classifier of the right dims is kept.
  const tensor::Weights same = ParameterStore::from_weights(graph, weights, true, 9)->weights();
  EXPECT_TRUE(std::ranges::equal(same.at("classifier.weight").bytes, weights.at("classifier.weight").bytes));

  weights.tensors.erase("stem.bn.running_var");
  try {
    ParameterStore::from_weights(graph, weights);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_NE(std::string(error.what()).find("stem.bn.running_var"), std::string::npos) << error.what();
  }
}

TEST(Network, ImagesOfAnotherSizeAreRejected) {
  const graph::Graph graph = small("mobilenet_v2");
  Network network(graph, ParameterStore::initialised(graph, 0));
  EXPECT_THROW(network.forward(torch::zeros({1, 3, 64, 63}), {}), Error);
  EXPECT_THROW(network.forward(torch::zeros({3, 64, 64}), {}), Error);
}

// A source whose tensors are slices of wider ones, as in the supernet of an architecture search.
struct WiderStore : ParameterSource {
  mutable std::map<std::string, torch::Tensor> leaves;
  torch::Tensor at(const graph::Parameter& parameter) const override {
    torch::Tensor& leaf = leaves[parameter.name];
    if (!leaf.defined()) {
      std::vector<std::int64_t> wider = parameter.dims;
      wider[0] += 3;
      leaf = testkit::normal(parameter.name, wider, 0.2F);
      if (parameter.kind == graph::ParameterKind::norm_variance) leaf = leaf.abs() + 0.5;
      leaf.set_requires_grad(!parameter.statistic());
    }
    return leaf.narrow(0, 0, parameter.dims[0]);
  }
};

TEST(Network, BindsToSlicesOfALargerStore) {
  const graph::Graph graph = small(engine::testkit::mbconv_network());
  const auto source = std::make_shared<WiderStore>();
  Network first(graph, source);
  expect_canonical_names(first);
  const torch::Tensor images = testkit::images(graph, 2);
  Network second(small(without_drops(engine::testkit::mbconv_network())), source);

  double last = 0;
  for (int step = 0; step < 3; ++step) {  // the slices must show the updates of their leaf tensors
    const torch::Tensor loss = second.forward(images, testkit::training_pass(2)).square().sum();
    loss.backward();
    if (step > 0) {
      EXPECT_LT(loss.item<double>(), last);
    }
    last = loss.item<double>();
    const torch::NoGradGuard no_gradient;
    for (auto& [name, leaf] : source->leaves) {
      if (!leaf.requires_grad()) continue;
      ASSERT_TRUE(leaf.grad().defined()) << name;
      const std::int64_t used = leaf.size(0) - 3;
      EXPECT_EQ(leaf.grad().narrow(0, used, 3).abs().sum().item<double>(), 0) << name;
      leaf.add_(leaf.grad(), -1e-4);
      leaf.grad().zero_();
    }
  }
  // Both networks see the updated tensors, including moving statistics.
  EXPECT_TRUE(torch::equal(first.forward(images, {}), second.forward(images, {})));
}

// Two networks of different depth on one store: a change of a shared tensor affects both.
TEST(Network, TwoNetworksCanShareOneStore) {
  arch::ArchSpec deep = engine::testkit::mbconv_network(), shallow = deep;
  shallow.stages[1].repeats = 1;
  const graph::Graph deep_graph = small(deep), shallow_graph = small(shallow);
  const auto store = testkit::random_store(deep_graph);
  Network a(deep_graph, store), b(shallow_graph, store);
  const torch::Tensor images = testkit::images(deep_graph, 2);
  const torch::Tensor before = b.forward(images, {}).detach();
  a.forward(images, testkit::training_pass(2)).square().sum().backward();
  EXPECT_TRUE(b.named_parameters()["stem.conv.weight"].grad().defined());
  const torch::NoGradGuard no_gradient;
  torch::Tensor weight = a.named_parameters()["stem.conv.weight"];
  weight.sub_(weight.grad());
  EXPECT_FALSE(torch::equal(b.forward(images, {}), before));
}

}  // namespace
}  // namespace effnet::nn
