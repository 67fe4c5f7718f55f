// Compares every named network with the reference executor.
#include <gtest/gtest.h>

#include <cstdlib>

#include "effnet/arch/family.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/engine/quick_weights.h"
#include "effnet/engine/synthetic_images.h"

namespace effnet::engine {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// The bound on the difference of logits, relative to the largest logit, for every network.
constexpr double kRelative = 1e-4;

// Returns quick_weights with smaller values in two places: residual branches are scaled by 0.2, and the convolutions
// without batch norm (those of the SE) by 1 / sqrt(fan-in). Without this, variances double from block to block and the
// sigmoids of the SE saturate. B4 and larger networks are then chaotic: their logits are 1e7, and float and double
// logits differ by a tenth of that.
tensor::Weights stable_weights(const graph::Graph& graph) {
  tensor::Weights weights = quick_weights(graph);
  const auto scale = [&](const std::string& name, std::int64_t fan_in, float by) {
    const tensor::Tensor& old = weights.tensors.at(name);
    const auto* const values = reinterpret_cast<const float*>(old.bytes.data());
    std::vector<float> scaled(values, values + tensor::numel(old.dims));
    for (float& value : scaled) value *= by / std::sqrt(static_cast<float>(fan_in));
    weights.tensors[name] = tensor::make_tensor(old.dims, std::move(scaled));
  };
  for (const graph::Node& node : graph.nodes) {
    if (const auto* conv = std::get_if<graph::Conv>(&node.op); conv != nullptr && conv->bias) {
      scale(node.name + ".weight", graph.in(node).c, 1);
    }
    if (!std::holds_alternative<graph::Add>(node.op)) continue;
    const graph::Node* branch = &graph.at(node.inputs[0]);
    if (std::holds_alternative<graph::DropPath>(branch->op)) branch = &graph.at(branch->inputs[0]);
    if (std::holds_alternative<graph::BatchNorm>(branch->op)) scale(branch->name + ".weight", 1, 0.2F);
  }
  return weights;
}

void expect_agreement(const graph::Graph& graph, std::int64_t batch, int threads,
                      const std::vector<kernels::Isa>& sets) {
  const Parameters parameters(stable_weights(graph));
  ThreadPool pool(threads);
  const std::vector<float> input = synthetic_images(graph.input(), batch, 1, pool);
  const auto exact = Reference(graph, parameters, pool, {.double_accumulation = true}).run(input, batch);
  const testkit::Truth truth = testkit::truth_from(exact, Reference(graph, parameters, pool).run(input, batch));
  const double largest = testkit::largest_of(exact);
  ASSERT_GT(largest, 0);
  for (const kernels::Isa isa : sets) {
    const auto weights = PackedWeights::pack(graph, parameters, {isa}, pool);
    const auto logits = testkit::run(graph, weights, input, {.batch = batch, .threads = threads});
    const double difference = testkit::largest_difference(logits, exact);
    EXPECT_LE(difference, truth.tolerance) << graph.name << " " << isa;
    EXPECT_LE(difference, kRelative * largest) << graph.name << " " << isa;
  }
}

graph::Graph small(const std::string& name) {
  return graph::lower(arch::variant(name).spec, {.resolution = Size{72, 88}, .classes = 100});
}
std::int64_t weights_of(const graph::Graph& graph) {
  std::int64_t weights = 0;
  for (const graph::Parameter& parameter : graph::parameters(graph)) weights += parameter.numel();
  return weights;
}

// Returns all networks except B8, L2 and AmoebaNet-B, which have gigabytes of weights. Under a sanitizer, returns only
// the networks that take less than two seconds.
std::vector<std::string> names() {
  constexpr std::int64_t kMaxWeights = kSanitized ? 6'000'000 : 80'000'000;
  std::vector<std::string> fitting;
  for (const arch::Variant& variant : arch::family()) {
    if (weights_of(small(variant.name)) <= kMaxWeights) fitting.push_back(variant.name);
  }
  return fitting;
}

class NamedModelEngine : public testing::TestWithParam<std::string> {};

// The input of 72 x 88 pixels is halved five times, and some of the halved sizes are odd.
TEST_P(NamedModelEngine, AgreesWithTheReference) {
  const graph::Graph graph = small(GetParam());
  // The portable set takes the most time, and large networks use no code that small ones do not use.
  std::vector<kernels::Isa> sets = kernels::usable_sets();
  if (weights_of(graph) > 12'000'000 && sets.size() > 1) sets.erase(sets.begin());
  expect_agreement(graph, 1, 1, sets);
}

INSTANTIATE_TEST_SUITE_P(Family, NamedModelEngine, testing::ValuesIn(names()),
                         [](const auto& parameter) { return parameter.param; });

// Tests networks at their nominal resolution, among them large ones (but not B8 and L2), and B0 at an odd size. Takes
// minutes and gigabytes, so it runs only if EFFNET_FULL is set.
TEST(NamedModelEngineFull, AgreesAtItsOwnResolution) {
  if (std::getenv("EFFNET_FULL") == nullptr) GTEST_SKIP() << "set EFFNET_FULL=1 for native resolutions";
  const std::vector<kernels::Isa> best{kernels::chosen_isa()};
  for (const char* const name : {"efficientnet_b0", "efficientnet_b3", "efficientnet_b7", "resnet152", "amoebanet_b"}) {
    expect_agreement(graph::lower(arch::variant(name).spec), 1, 2, best);
  }
  const arch::ArchSpec& b0 = arch::variant("efficientnet_b0").spec;
  expect_agreement(testkit::lower_at(b0, {197, 311}), 3, 2, best);
}

}  // namespace
}  // namespace effnet::engine
