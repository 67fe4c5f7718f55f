// Tests networks whose 3x3 convolutions run as Winograd's F(2x2, 3x3). Each Winograd step is compared with the
// reference executor in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "effnet/engine/reference.h"
#include "effnet/engine/session.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/lower.h"
#include "effnet/kernels/test_support.h"

namespace effnet::engine {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::Padding;
using kernels::Epilogue;

arch::StageSpec stage(std::string_view block, std::int64_t repeats, std::int64_t channels, std::int64_t stride = 1) {
  return {.block = std::string(block), .repeats = repeats, .channels = channels, .stride = stride};
}

arch::ArchSpec network(std::string name, Activation activation, Padding padding, std::int64_t stem,
                       std::vector<arch::StageSpec> stages) {
  arch::ArchSpec spec;
  spec.name = std::move(name);
  spec.classes = 19;
  spec.activation = activation;
  spec.padding = padding;
  spec.dropout = spec.drop_path = 0;
  spec.stem = {.channels = stem, .stride = 1, .activation = activation, .padding = padding};
  spec.stages = std::move(stages);
  spec.head = {.channels = 0, .activation = Activation::none};
  return spec;
}

// Returns a graph with 3x3 convolutions without padding. No block of the architecture files has such convolutions.
Graph without_padding() {
  graph::Builder builder("without_padding", {3, 13, 12});
  NodeId x = 0;
  const auto layer = [&](const std::string& name, const graph::Conv& conv) {
    x = builder.add(name + ".conv", conv, {x});
    x = builder.add(name + ".bn", graph::BatchNorm{}, {x});
    x = builder.add(name + ".act", graph::Activate{Activation::relu}, {x});
  };
  layer("widen", {.out_channels = 36});
  layer("first", {.out_channels = 40, .kernel = 3, .padding = Padding::valid});
  layer("second", {.out_channels = 32, .kernel = 3, .padding = Padding::valid});
  builder.graph().features = x;
  x = builder.add("pool", graph::GlobalPool{}, {x});
  builder.graph().logits = builder.add("classifier", graph::Linear{19}, {x});
  return builder.graph();
}

struct Case {
  Graph graph;
  std::int64_t batch;
};

// 36 channels use only 4 lanes of the last block of 16; 40 channels use only 8 lanes of the last tile of 32. An input
// of 27 x 25 pixels with a batch of 3 needs several runs of tiles, which begin and end within rows.
std::vector<Case> cases() {
  const arch::ArchSpec basic = network("basic", Activation::relu, Padding::symmetric, 32,
                                       {stage("basic", 2, 32), stage("basic", 1, 48), stage("basic", 2, 40, 2)});
  const arch::ArchSpec same =
      network("basic_same", Activation::silu, Padding::same, 36, {stage("basic", 1, 36), stage("basic", 1, 40)});
  const arch::ArchSpec bottleneck = network("bottleneck", Activation::relu6, Padding::symmetric, 32,
                                            {stage("bottleneck", 1, 40), stage("bottleneck", 2, 36, 2)});
  const arch::ArchSpec bottleneck_same =
      network("bottleneck_same", Activation::hard_swish, Padding::same, 40, {stage("bottleneck", 2, 48)});
  std::vector<Case> result;
  for (const arch::ArchSpec& spec : {basic, same, bottleneck, bottleneck_same}) {
    for (const std::int64_t batch : {1, 3}) {
      result.push_back({graph::lower(spec, {.resolution = Size{13, 11}}), batch});
      result.push_back({graph::lower(spec, {.resolution = Size{14, 15}}), batch});
    }
  }
  result.push_back({graph::lower(basic, {.resolution = Size{27, 25}}), 3});
  result.push_back({without_padding(), 2});
  return result;
}

// Returns parameters with which activations keep unit scale: the weights of convolutions have variance 1 / fan-in, and
// batch norms are near the identity.
tensor::Weights random_parameters(const Graph& graph) {
  tensor::Weights weights;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    std::vector<float> values(static_cast<std::size_t>(parameter.numel()));
    const auto of_norm = parameter.dims.size() == 1 && !parameter.name.starts_with("classifier");
    Philox(3, stream_of(parameter.name)).fill_normal(values, 0, 1.0F);
    const auto fan_in = static_cast<float>(parameter.numel() / parameter.dims[0]);
    for (float& value : values) value = of_norm ? 0.2F * value : value / std::sqrt(fan_in);
    if (of_norm && !parameter.name.ends_with("bias") && !parameter.name.ends_with("mean")) {
      for (float& value : values) value = 1 + std::abs(value);
    }
    weights.tensors[parameter.name] = tensor::make_tensor(parameter.dims, std::move(values));
  }
  return weights;
}

struct Network {
  explicit Network(Case of)
      : batch(of.batch),
        graph(std::move(of.graph)),
        weights(random_parameters(graph)),
        parameters(weights),
        input(static_cast<std::size_t>(batch * graph.input().numel())) {
    Philox(4, stream_of("input")).fill_normal(input, 0, 1.0F);
  }
  std::vector<float> run(Session& session) const {
    std::vector<float> logits(static_cast<std::size_t>(batch * graph.classes()));
    session.run(input, logits);
    return logits;
  }
  std::string describe() const {
    return fmt::format("{} {} x {}, batch {}", graph.name, graph.input().h, graph.input().w, batch);
  }
  NodeId id(const Node& node) const { return static_cast<NodeId>(&node - graph.nodes.data()); }

  std::int64_t batch;
  Graph graph;
  tensor::Weights weights;
  Parameters parameters;
  std::vector<float> input;
};

bool is_winograd(const StepInfo& step) { return step.kernel.find("winograd2x2") != std::string::npos; }

// The nodes of a Winograd step: activation(norm(conv(input)) + addend).
struct Layer {
  const Node* conv = nullptr;
  const Node* norm = nullptr;
  NodeId addend = -1;
  Activation activation = Activation::none;
};

Layer layer_of(const Graph& graph, const std::string& step) {
  Layer layer;
  const Node* node = graph.find(step);
  if (const auto* activate = std::get_if<graph::Activate>(&node->op)) {
    layer.activation = activate->kind;
    node = &graph.at(node->inputs[0]);
  }
  if (std::holds_alternative<graph::Add>(node->op)) {
    layer.addend = node->inputs[1];
    node = &graph.at(node->inputs[0]);
  }
  layer.norm = node;
  layer.conv = &graph.at(node->inputs[0]);
  return layer;
}

struct EpilogueParams {
  Epilogue epilogue;
  float low = -kernels::kInfinity, high = kernels::kInfinity;
};
EpilogueParams epilogue_params(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return {Epilogue::silu};
    case Activation::hard_swish:
      return {Epilogue::hard_swish};
    case Activation::relu:
      return {Epilogue::clamp, 0};
    case Activation::relu6:
      return {Epilogue::clamp, 0, 6};
    default:
      return {Epilogue::clamp};
  }
}

// Returns, for each output value, the sum of the absolute values of all its terms in the Winograd algorithm. Rounding
// errors are relative to this sum. The shape is images x channels x h x w, as that of the input.
std::vector<double> winograd_norms(const Graph& graph, const Node& conv, std::span<const float> weight,
                                   std::span<const float> input, std::int64_t batch) {
  const Chw in = graph.in(conv), out = conv.out;
  const graph::WindowPadding padding = graph::padding_of(graph, conv);
  std::vector<kernels::reference::Square<4>> u;  // [output channel][input channel]
  for (std::int64_t i = 0; i < out.c * in.c; ++i) {
    kernels::reference::Square<3> g;
    for (std::size_t tap = 0; tap < 9; ++tap) g[tap / 3][tap % 3] = weight[static_cast<std::size_t>(i) * 9 + tap];
    u.push_back(kernels::reference::transform(kernels::reference::kWinogradWeight, g, true));
  }
  std::vector<double> norms(static_cast<std::size_t>(batch * out.numel()));
  std::vector<kernels::reference::Square<4>> v(static_cast<std::size_t>(in.c));
  const auto at = [](const Chw& s, std::int64_t image, std::int64_t c, std::int64_t y, std::int64_t x) {
    return static_cast<std::size_t>(((image * s.c + c) * s.h + y) * s.w + x);
  };
  for (std::int64_t tile = 0, across = (out.w + 1) / 2, down = (out.h + 1) / 2; tile < batch * across * down; ++tile) {
    const std::int64_t image = tile / across / down, top = tile / across % down * 2, left = tile % across * 2;
    for (std::int64_t c = 0; c < in.c; ++c) {
      kernels::reference::Square<4> d{};
      for (std::int64_t i = 0; i < 16; ++i) {
        const std::int64_t y = top - padding.top + i / 4, x = left - padding.left + i % 4;
        if (y < 0 || y >= in.h || x < 0 || x >= in.w) continue;
        d[static_cast<std::size_t>(i / 4)][static_cast<std::size_t>(i % 4)] = input[at(in, image, c, y, x)];
      }
      v[static_cast<std::size_t>(c)] = kernels::reference::transform(kernels::reference::kWinogradInput, d, true);
    }
    for (std::int64_t o = 0; o < out.c; ++o) {
      kernels::reference::Square<4> products{};
      for (std::size_t c = 0; c < v.size(); ++c) {
        const kernels::reference::Square<4>& weights = u[static_cast<std::size_t>(o) * v.size() + c];
        for (std::size_t i = 0; i < 16; ++i) products[i / 4][i % 4] += weights[i / 4][i % 4] * v[c][i / 4][i % 4];
      }
      const kernels::reference::Square<2> sums =
          kernels::reference::transform(kernels::reference::kWinogradOutput, products, true);
      for (std::int64_t y = top; y < std::min(top + 2, out.h); ++y) {
        for (std::int64_t x = left; x < std::min(left + 2, out.w); ++x) {
          norms[at(out, image, o, y, x)] = sums[static_cast<std::size_t>(y - top)][static_cast<std::size_t>(x - left)];
        }
      }
    }
  }
  return norms;
}

// Checks one Winograd step: the reference gets the input that the engine computed for this step. In the engine depth +
// 11 roundings affect a term: 2 in the input transform, 1 of the stored weight, 1 of the product, `depth` of additions,
// 4 in the output transform, and 1 each of the bias, the stored bias and the residual. In the reference there are 2: of
// the stored outputs of convolution and batch norm. Together these are depth + 13. tolerance() adds 3 to its argument
// n, so n = depth + 10.
void expect_step_agrees(const Network& network, const Session& session, const StepInfo& step, ThreadPool& pool) {
  const Graph& graph = network.graph;
  const Layer layer = layer_of(graph, step.name);
  const Chw in = graph.in(*layer.conv), out = layer.conv->out;
  const std::vector<float> input = session.output(layer.conv->inputs[0]);
  const std::vector<float> got = session.output(network.id(*graph.find(step.name)));
  const std::vector<float> addend = layer.addend < 0 ? std::vector<float>(got.size()) : session.output(layer.addend);

  graph::Builder builder("layer", in);
  const NodeId conv = builder.add(layer.conv->name, layer.conv->op, {0});
  builder.graph().logits = builder.add(layer.norm->name, layer.norm->op, {conv});
  const std::vector<float> expected =
      Reference(builder.graph(), network.parameters, pool, {.double_accumulation = true}).run(input, network.batch);
  const auto of_norm = [&](std::string_view role) {
    return *network.parameters.find(fmt::format("{}.{}", layer.norm->name, role));
  };
  const std::vector<double> norms =
      winograd_norms(graph, *layer.conv, *network.parameters.find(layer.conv->name + ".weight"), input, network.batch);
  const double epsilon = std::get<graph::BatchNorm>(layer.norm->op).epsilon;
  const EpilogueParams last = epilogue_params(layer.activation);
  ASSERT_EQ(got.size(), norms.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto c = i / static_cast<std::size_t>(out.pixels()) % static_cast<std::size_t>(out.c);
    const double scale = std::abs(of_norm("weight")[c]) / std::sqrt(of_norm("running_var")[c] + epsilon);
    const double s =
        scale * (norms[i] + std::abs(of_norm("running_mean")[c])) + std::abs(of_norm("bias")[c]) + std::abs(addend[i]);
    const double y = kernels::reference::epilogue(last.epilogue, double{expected[i]} + addend[i], last.low, last.high);
    ASSERT_NEAR(got[i], y, kernels::tolerance(kernels::function_of(last.epilogue), in.c + 10, s, y)) << "value " << i;
  }
}

// Returns the number of convolutions that are dense and 3x3 with stride 1, at least 32 input channels and at least 32
// output channels.
std::size_t winograd_convolutions(const Graph& graph) {
  return static_cast<std::size_t>(std::count_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    const auto* conv = std::get_if<graph::Conv>(&node.op);
    return conv != nullptr && conv->kernel == 3 && conv->stride == 1 && graph.in(node).c >= 32 && node.out.c >= 32;
  }));
}

class WinogradEngineTest : public testing::TestWithParam<kernels::Isa> {
 protected:
  Session session(const Network& network, const SessionOptions& options) {
    return {network.graph, PackedWeights::pack(network.graph, network.parameters, {GetParam()}, pool_), options};
  }
  ThreadPool pool_{1};
};

TEST_P(WinogradEngineTest, StepsAgreeWithReference) {
  for (const Case& of : cases()) {
    const Network network(of);
    SCOPED_TRACE(network.describe());
    SessionOptions options{.batch = of.batch};
    Session plain = session(network, options);
    // Keeping the outputs of steps does not change the steps, because these outputs are stored anyway.
    for (const StepInfo& step : plain.steps()) {
      const Node* const node = network.graph.find(step.name);
      if (node != nullptr) options.keep.push_back(network.id(*node));
    }
    Session kept = session(network, options);
    const std::vector<float> logits = network.run(plain);
    EXPECT_TRUE(kernels::same_bits(network.run(kept), logits));

    std::size_t steps = 0, with_residual = 0;
    for (const StepInfo& step : kept.steps()) {
      if (!is_winograd(step)) continue;
      SCOPED_TRACE(step.name);
      const Layer layer = layer_of(network.graph, step.name);
      EXPECT_EQ(step.kernel,
                fmt::format("f32_winograd2x2_{}_{}", kernels::name(epilogue_params(layer.activation).epilogue),
                            kernels::name(GetParam())));
      if (layer.addend >= 0) ++with_residual;
      ++steps;
      expect_step_agrees(network, kept, step, pool_);
      if (HasFatalFailure()) return;
    }
    EXPECT_EQ(steps, winograd_convolutions(network.graph));
    EXPECT_EQ(with_residual > 0, of.graph.name.starts_with("basic"));
    for (std::size_t i = 0; i < kept.steps().size(); ++i) {
      EXPECT_EQ(kept.steps()[i].kernel, plain.steps()[i].kernel) << plain.steps()[i].name;
    }

    // The whole network, with the bound that the project uses for every network: 1e-4 of the largest logit.
    const std::vector<float> expected =
        Reference(network.graph, network.parameters, pool_, {.double_accumulation = true})
            .run(network.input, network.batch);
    double largest = 0;
    for (const float value : expected) largest = std::max(largest, std::abs(double{value}));
    for (std::size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(logits[i], expected[i], 1e-4 * largest) << i;
  }
}

TEST_P(WinogradEngineTest, ThreadsDoNotChangeBits) {
  for (const Case& of : cases()) {
    const Network network(of);
    Session one = session(network, {.batch = of.batch, .threads = 1});
    const std::vector<float> expected = network.run(one);
    for (const int threads : {2, 3}) {
      Session several = session(network, {.batch = of.batch, .threads = threads});
      EXPECT_TRUE(kernels::same_bits(network.run(several), expected))
          << network.describe() << ", " << threads << " threads";
    }
  }
}

TEST_P(WinogradEngineTest, OtherConvolutionsRunAsGemm) {
  const arch::ArchSpec narrow = network("narrow", Activation::relu, Padding::same, 31, {stage("basic", 1, 31)});
  arch::ArchSpec wide = network("wide", Activation::relu, Padding::same, 40, {stage("bottleneck", 1, 40)});
  wide.stages[0].kernel = 5;
  const arch::ArchSpec strided =
      network("strided", Activation::relu, Padding::same, 40, {stage("bottleneck", 1, 40, 2)});
  for (const arch::ArchSpec& spec : {narrow, wide, strided}) {
    const Network network({graph::lower(spec, {.resolution = Size{9, 9}}), 1});
    const Session planned = session(network, {});
    for (const StepInfo& step : planned.steps()) {
      EXPECT_FALSE(is_winograd(step)) << spec.name << ": " << step.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sets, WinogradEngineTest, testing::ValuesIn(kernels::usable_sets()), kernels::isa_name);

}  // namespace
}  // namespace effnet::engine
