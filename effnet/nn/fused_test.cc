// Compares fused steps with plain steps: outputs, all gradients and moving statistics, for every kind of block that the
// patterns match. Plain steps in double give the truth.
#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <thread>

#include "effnet/arch/family.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/lower.h"
#include "effnet/nn/network.h"
#include "effnet/nn/nn_testing.h"

namespace effnet::nn {
namespace {

using torch::Tensor;

struct BlockCase {
  std::string label;
  std::int64_t in, expanded, out, squeezed;
  std::int64_t kernel, stride;
  graph::Padding padding;
  graph::Activation activation;
  bool expand, residual;
  std::int64_t h, w, batch;
  double drop_path = 0;
};

// input -> 1x1 convolution (so that the block's input needs a gradient) -> block.
graph::Graph block_graph(const BlockCase& c) {
  graph::Builder b(c.label, {3, c.h, c.w});
  graph::NodeId x = b.add("before", graph::Conv{.out_channels = c.in, .bias = true}, {0});
  const graph::NodeId input = x;
  const graph::BatchNorm norm{1e-3, 0.9};
  if (c.expand) {
    x = b.add("expand.conv", graph::Conv{.out_channels = c.expanded}, {x});
    x = b.add("expand.bn", norm, {x});
    x = b.add("expand.act", graph::Activate{c.activation}, {x});
  }
  x = b.add("depthwise.conv",
            graph::Conv{.out_channels = c.expanded,
                        .kernel = c.kernel,
                        .stride = c.stride,
                        .groups = c.expanded,
                        .padding = c.padding},
            {x});
  x = b.add("depthwise.bn", norm, {x});
  x = b.add("depthwise.act", graph::Activate{c.activation}, {x});
  if (c.squeezed > 0) {
    graph::NodeId s = b.add("se.pool", graph::GlobalPool{}, {x});
    s = b.add("se.reduce", graph::Conv{.out_channels = c.squeezed, .bias = true}, {s});
    s = b.add("se.act", graph::Activate{c.activation}, {s});
    s = b.add("se.expand", graph::Conv{.out_channels = c.expanded, .bias = true}, {s});
    s = b.add("se.gate", graph::Activate{graph::Activation::sigmoid}, {s});
    x = b.add("se.scale", graph::Mul{}, {x, s});
  }
  x = b.add("project.conv", graph::Conv{.out_channels = c.out}, {x});
  x = b.add("project.bn", norm, {x});
  if (c.residual) {
    if (c.drop_path > 0) x = b.add("drop_path", graph::DropPath{c.drop_path}, {x});
    x = b.add("add", graph::Add{}, {x, input});
  }
  b.graph().logits = b.graph().features = x;
  return std::move(b.graph());
}

// A parameter source with copies of a store's tensors, converted to one dtype.
class CopiedParameters : public ParameterSource {
 public:
  CopiedParameters(const ParameterStore& store, torch::Dtype dtype) {
    for (const ParameterStore::Entry& entry : store.entries()) {
      tensors[entry.name] = entry.tensor.detach().to(dtype).clone().set_requires_grad(!entry.statistic);
    }
  }
  Tensor at(const graph::Parameter& parameter) const override { return tensors.at(parameter.name); }
  std::map<std::string, Tensor> tensors;
};

// One process's images of a batch; by default the whole batch.
struct BatchPart {
  std::int64_t first = 0, count = -1;
  std::function<Tensor(const Tensor&)> all_reduce = {};
  Tensor of(const Tensor& whole) const { return whole.narrow(0, first, count < 0 ? whole.size(0) : count); }
};

// The results of a training step by name: output, gradients, moving statistics.
using Results = std::map<std::string, Tensor>;
Results step(const graph::Graph& graph, const ParameterStore& store, torch::Dtype dtype, const NetworkOptions& options,
             std::int64_t batch, bool training = true, const BatchPart& part = {}) {
  const auto source = std::make_shared<CopiedParameters>(store, dtype);
  Network network(graph, source, options);
  const Tensor images = part.of(testkit::images(graph, batch)).to(dtype);
  ForwardContext pass{.training = training, .seed = 5, .all_reduce = part.all_reduce};
  for (std::int64_t i = 0; i < images.size(0); ++i) pass.samples.push_back(part.first + i);
  const Tensor out = network.forward(images, pass);
  std::vector<std::int64_t> dims = out.sizes().vec();
  dims[0] = batch;
  (out * part.of(testkit::normal("loss", dims)).to(dtype)).sum().backward();
  Results results{{"out", out.detach()}};
  for (const auto& [name, tensor] : source->tensors) {
    if (tensor.requires_grad()) {
      EXPECT_TRUE(tensor.grad().defined()) << name;
      if (tensor.grad().defined()) results["d " + name] = tensor.grad();
    } else {
      results[name] = tensor;
    }
  }
  return results;
}

// Runs the same step in two processes (here: threads) with synchronised batch norm. Returns the concatenated outputs
// and the sums of the gradients.
Results step_of_two_processes(const graph::Graph& graph, const ParameterStore& store, const NetworkOptions& options,
                              std::int64_t batch) {
  testkit::ProcessPair pair;
  Results results[2];
  const auto process = [&](int rank) {
    const std::int64_t half = batch / 2;  // rounded down: rank 1 has the smaller part
    const BatchPart part{rank == 0 ? 0 : batch - half, rank == 0 ? batch - half : half, pair.all_reduce(rank)};
    results[rank] = step(graph, store, torch::kFloat, options, batch, true, part);
  };
  std::thread other(process, 1);
  process(0);
  other.join();
  for (auto& [name, tensor] : results[0]) {
    const Tensor& second = results[1].at(name);
    if (name == "out") {
      tensor = torch::cat({tensor, second});
    } else if (name.rfind("d ", 0) == 0) {
      tensor = tensor + second;
    } else {
      EXPECT_TRUE(torch::equal(tensor, second)) << name;
    }
  }
  return results[0];
}

// Fused and plain steps compute the same sums in different orders. Both are compared with plain steps in double. The
// error of the fused steps may be 8 times the error of the plain steps in float32, plus 64 roundings. A few roundings
// alone would not be enough, since a batch norm's gradient is a difference. Errors are relative to the tensor's largest
// value, or to 1e-3 if that is larger, because some gradients are zero in exact arithmetic.
void expect_same(const graph::Graph& graph, const NetworkOptions& options, std::int64_t batch, bool training = true,
                 int processes = 1) {
  const auto store = testkit::random_store(graph);
  const Results fused = processes == 2 ? step_of_two_processes(graph, *store, options, batch)
                                       : step(graph, *store, torch::kFloat, options, batch, training);
  NetworkOptions plain_options = options;
  plain_options.fused = false;
  const auto plain = step(graph, *store, torch::kFloat, plain_options, batch, training);
  const auto truth = step(graph, *store, torch::kDouble, plain_options, batch, training);
  ASSERT_EQ(fused.size(), truth.size());
  for (const auto& [name, expected] : truth) {
    const double size = std::max(expected.abs().max().item<double>(), 1e-3);
    const auto error = [&](const Tensor& got) {
      return (got.to(torch::kDouble) - expected).abs().max().item<double>() / size;
    };
    EXPECT_LE(error(fused.at(name)), 8 * error(plain.at(name)) + 64 * 0x1p-24) << graph.name << ": " << name;
  }
}

using graph::Activation;
using graph::Padding;
// label; in, expanded, out, squeezed; kernel, stride; padding; activation; expand, residual; h, w, batch; drop_path
const BlockCase kBlocks[] = {
    {"without squeeze", 8, 48, 8, 0, 3, 1, Padding::same, Activation::silu, true, true, 9, 7, 3},
    {"squeeze", 24, 144, 24, 6, 3, 1, Padding::same, Activation::silu, true, true, 13, 11, 4, 0.5},
    {"stride 2", 16, 96, 24, 4, 3, 2, Padding::same, Activation::silu, true, false, 14, 16, 2},
    {"stride 2, odd", 16, 96, 40, 4, 3, 2, Padding::same, Activation::silu, true, false, 13, 11, 2},
    {"k5 stride 2", 24, 144, 40, 6, 5, 2, Padding::same, Activation::silu, true, false, 12, 15, 3},
    {"k5", 40, 240, 40, 10, 5, 1, Padding::same, Activation::silu, true, true, 7, 7, 9, 0.2},
    {"k7", 8, 16, 8, 2, 7, 1, Padding::symmetric, Activation::silu, true, true, 8, 9, 2},
    {"k7 stride 2", 8, 16, 8, 2, 7, 2, Padding::symmetric, Activation::silu, true, false, 10, 9, 2},
    {"no expand", 32, 32, 16, 8, 3, 1, Padding::same, Activation::silu, false, false, 10, 10, 3},
    {"no expand, residual", 16, 16, 16, 4, 3, 1, Padding::same, Activation::silu, false, true, 10, 10, 3, 0.5},
    {"no expand, stride 2", 20, 20, 12, 0, 5, 2, Padding::symmetric, Activation::silu, false, false, 11, 12, 3},
    {"symmetric", 16, 96, 24, 0, 3, 2, Padding::symmetric, Activation::relu6, true, false, 14, 16, 2},
    {"valid", 16, 32, 24, 0, 3, 2, Padding::valid, Activation::relu, true, false, 14, 15, 2},
    {"odd channels", 5, 33, 7, 3, 3, 1, Padding::same, Activation::hard_swish, true, false, 6, 5, 2},
    {"one pixel", 8, 16, 8, 2, 5, 1, Padding::same, Activation::silu, true, true, 1, 1, 6},
    {"wide image", 8, 16, 8, 2, 3, 1, Padding::same, Activation::silu, true, true, 5, 150, 2},
    {"tall image", 8, 16, 8, 2, 5, 2, Padding::same, Activation::silu, true, false, 150, 40, 1},
};

void PrintTo(const BlockCase& block, std::ostream* out) { *out << block.label; }

// Moves every parameter by `distance` along a random direction and returns the loss whose gradients step() computes, by
// plain steps in double.
double moved_loss(const graph::Graph& graph, const ParameterStore& store, std::int64_t batch, double distance) {
  const torch::NoGradGuard no_gradient;
  const auto source = std::make_shared<CopiedParameters>(store, torch::kDouble);
  for (const auto& [name, tensor] : source->tensors) {
    if (tensor.requires_grad()) tensor.add_(testkit::normal("along " + name, tensor.sizes().vec()), distance);
  }
  Network network(graph, source, {.fused = false});
  const Tensor out = network.forward(testkit::images(graph, batch).to(torch::kDouble),
                                     {.training = true, .seed = 5, .samples = testkit::training_pass(batch).samples});
  return (out * testkit::normal("loss", out.sizes().vec()).to(torch::kDouble)).sum().item<double>();
}

class FusedBlock : public testing::TestWithParam<BlockCase> {};

TEST_P(FusedBlock, TrainingMatchesPlainSteps) {
  const graph::Graph graph = block_graph(GetParam());
  const auto patterns = Network(graph, testkit::random_store(graph)).fused_patterns();
  ASSERT_EQ(patterns.size(), 1);
  EXPECT_NE(patterns[0].find("mbconv"), std::string::npos) << patterns[0];
  expect_same(graph, {}, GetParam().batch);
  expect_same(graph, {.unbiased_moving_variance = true, .bn_momentum = 0.7}, GetParam().batch);
}

// Synchronised batch norm. The statistics of one process's images differ from those of the whole batch, so the test
// fails unless the sums of both processes are used.
TEST_P(FusedBlock, TwoProcessesMatchTheStepOfTheWholeBatch) {
  if (GetParam().batch < 2) return;
  expect_same(block_graph(GetParam()), {}, GetParam().batch, true, 2);
  expect_same(block_graph(GetParam()), {.unbiased_moving_variance = true}, GetParam().batch, true, 2);
}

// Independent of autograd: the derivative along one random direction through all parameters must equal a difference
// quotient in double. Only SiLU is tested: the quotient is not valid at points where the activation has no derivative;
// ReLU6, for example, has such points.
TEST_P(FusedBlock, GradientMatchesDifferenceQuotients) {
  const BlockCase& block = GetParam();
  if (block.activation != Activation::silu) return;
  const graph::Graph graph = block_graph(block);
  const auto store = testkit::random_store(graph);
  const auto results = step(graph, *store, torch::kFloat, {}, block.batch);
  double derivative = 0, size = 0;
  for (const auto& [name, gradient] : results) {
    if (name.rfind("d ", 0) != 0) continue;
    const Tensor along = testkit::normal("along " + name.substr(2), gradient.sizes().vec());
    derivative += (gradient.to(torch::kDouble) * along).sum().item<double>();
    size += (gradient.to(torch::kDouble) * along).abs().sum().item<double>();
  }
  // The error of central differences is of order h^2 times the third derivative. Richardson extrapolation removes this
  // term.
  const auto quotient = [&](double h) {
    return (moved_loss(graph, *store, block.batch, h) - moved_loss(graph, *store, block.batch, -h)) / (2 * h);
  };
  const double expected = (4 * quotient(5e-6) - quotient(1e-5)) / 3;
  EXPECT_NEAR(derivative, expected, size * 1024 * 0x1p-24);
}

TEST_P(FusedBlock, EvaluationMatchesPlainSteps) { expect_same(block_graph(GetParam()), {}, GetParam().batch, false); }

INSTANTIATE_TEST_SUITE_P(Blocks, FusedBlock, testing::ValuesIn(kBlocks), [](const auto& block) {
  std::string name = block.param.label;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

graph::Graph conv_graph(std::int64_t kernel, std::int64_t stride, Padding padding, Activation activation, bool first,
                        std::int64_t out) {
  graph::Builder b("conv", {3, 13, 11});
  graph::NodeId x = first ? 0 : b.add("before", graph::Conv{.out_channels = 20, .bias = true}, {0});
  x = b.add("c.conv", graph::Conv{.out_channels = out, .kernel = kernel, .stride = stride, .padding = padding}, {x});
  x = b.add("c.bn", graph::BatchNorm{}, {x});
  x = b.add("c.act", graph::Activate{activation}, {x});
  b.graph().logits = b.graph().features = x;
  return std::move(b.graph());
}

TEST(FusedConv, TrainingAndEvaluationMatchPlainSteps) {
  for (const bool training : {true, false}) {
    expect_same(conv_graph(3, 2, Padding::same, Activation::silu, true, 32), {}, 3, training);
    expect_same(conv_graph(3, 1, Padding::symmetric, Activation::relu6, true, 24), {}, 2, training);
    expect_same(conv_graph(7, 2, Padding::symmetric, Activation::relu, true, 9), {}, 2, training);
    expect_same(conv_graph(1, 1, Padding::same, Activation::silu, false, 33), {}, 4, training);
    expect_same(conv_graph(1, 1, Padding::same, Activation::hard_swish, false, 100), {}, 4, training);
  }
  expect_same(conv_graph(3, 2, Padding::same, Activation::silu, true, 32), {}, 3, true, 2);
  expect_same(conv_graph(1, 1, Padding::same, Activation::hard_swish, false, 100), {}, 5, true, 2);
}

// Tensors of more than 24 MB: their gradients are written by streaming stores.
TEST(FusedNetwork, TrainingOfLargeTensorsMatchesPlainSteps) {
  expect_same(block_graph({"large", 8, 64, 8, 0, 3, 2, Padding::same, Activation::relu, true, false, 160, 160, 4}), {},
              4);
}

// The patterns cover the stem, the head and every block of the mobile networks.
TEST(FusedNetwork, PatternsCoverStemBlocksAndHead) {
  for (const auto& [name, blocks] : {std::pair<std::string, std::size_t>{"efficientnet_b0", 16},
                                     {"efficientnet_b4", 32},
                                     {"efficientnet_lite0", 16},
                                     {"mobilenet_v2", 17}}) {
    const graph::Graph graph = graph::lower(arch::variant(name).spec, {.resolution = Size{64, 64}});
    const auto patterns = Network(graph, ParameterStore::initialised(graph, 1)).fused_patterns();
    const auto count = [&](const char* pattern) {
      return static_cast<std::size_t>(std::count_if(patterns.begin(), patterns.end(), [&](const std::string& line) {
        return line.find(pattern) != std::string::npos;
      }));
    };
    EXPECT_EQ(count(": mbconv"), blocks) << name;
    EXPECT_EQ(count(": conv_bn_act"), 2) << name;
  }
}

TEST(FusedNetwork, ValuesReadFromOutsideAreKept) {
  const BlockCase& block = kBlocks[0];
  graph::Graph graph = block_graph(block);
  // A node after the block also reads the expanded value. The expansion must therefore be a separate pattern, followed
  // by a block without expansion: values inside a pattern are not kept.
  const auto inner = static_cast<graph::NodeId>(graph.find("expand.act") - graph.nodes.data());
  graph.nodes.push_back({"reader", graph::GlobalPool{}, {inner}, {block.expanded, 1, 1}});
  const auto patterns = Network(graph, testkit::random_store(graph)).fused_patterns();
  EXPECT_EQ(patterns, (std::vector<std::string>{"expand: conv_bn_act", ": mbconv"}));
  expect_same(graph, {}, block.batch);
}

// Also checks that a repeated run gives the same bits.
TEST(FusedNetwork, NumberOfThreadsDoesNotChangeBits) {
  const graph::Graph graph =
      graph::lower(arch::variant("efficientnet_b0").spec, {.resolution = Size{64, 64}, .classes = 10});
  const auto store = testkit::random_store(graph);
  const int threads = torch::get_num_threads();
  std::map<std::string, Tensor> first;
  for (const int count : {1, 2, 3, 1}) {
    torch::set_num_threads(count);
    const auto results = step(graph, *store, torch::kFloat, {}, 4);
    if (first.empty()) first = results;
    for (const auto& [name, tensor] : results) {
      EXPECT_TRUE(torch::equal(tensor, first.at(name))) << name << " with " << count << " threads";
    }
  }
  torch::set_num_threads(threads);
}

}  // namespace
}  // namespace effnet::nn
