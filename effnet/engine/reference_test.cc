// Compares the operations of the reference executor with PyTorch (tests/golden/engine) and, at unusual sizes, with
// simple loops.
#include "effnet/engine/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/costs.h"

namespace effnet::engine {
namespace {

using graph::Activation;
using graph::Builder;
using graph::Conv;
using graph::Graph;
using graph::NodeId;
using graph::Op;
using graph::Padding;
using graph::PoolKind;

constexpr double kHalfUlp = 0x1p-24;  // relative error of one float32 rounding

std::vector<float> random_values(std::string_view name, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  Philox(11, stream_of(name)).fill_normal(values, 0, 1.0F);
  return values;
}

Graph one_op(const Chw& in, const Op& op) {
  Builder builder("one_op", in);
  builder.graph().logits = builder.add("op", op, {0});
  return builder.graph();
}

tensor::Weights random_parameters(const Graph& graph) {
  tensor::Weights weights;
  for (const graph::Parameter& parameter : graph::parameters(graph)) {
    std::vector<float> values = random_values(parameter.name, parameter.numel());
    if (parameter.statistic()) {
      for (float& value : values) value = std::abs(value);
    }
    weights.tensors[parameter.name] = tensor::make_tensor(parameter.dims, std::move(values));
  }
  return weights;
}

std::vector<float> run(const Graph& graph, const tensor::Weights& weights, std::span<const float> input,
                       std::int64_t batch, bool double_accumulation = false, int threads = 1) {
  ThreadPool pool(threads);
  const Parameters parameters(weights);
  return Reference(graph, parameters, pool, {double_accumulation}).run(input, batch);
}

// ---- comparison with PyTorch

struct Golden {
  tensor::Dims dims;
  std::vector<float> values;
};
using GoldenCase = std::map<std::string, Golden>;

GoldenCase golden(const std::string& wanted) {
  std::ifstream file(EFFNET_SOURCE_DIR "/tests/golden/engine/ops.txt");
  GoldenCase result;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name, tensor, value;
    std::size_t rank = 0;
    words >> name >> tensor >> rank;
    if (name != wanted) continue;
    Golden& entry = result[tensor];
    entry.dims.resize(rank);
    for (std::int64_t& dim : entry.dims) words >> dim;
    while (words >> value) entry.values.push_back(std::strtof(value.c_str(), nullptr));
    EXPECT_EQ(static_cast<std::int64_t>(entry.values.size()), tensor::numel(entry.dims));
  }
  EXPECT_FALSE(result.empty()) << wanted << " is missing; run tests/golden/engine/make_goldens.py";
  return result;
}

struct GoldenOp {
  const char* name;
  Op op;
  // The number of roundings with float sums. Each has an error relative to the largest sum of absolute terms. With
  // double sums only the result is rounded.
  double float_roundings;
};

class AgainstTorch : public testing::TestWithParam<GoldenOp> {};

TEST_P(AgainstTorch, Agrees) {
  const GoldenCase expected = golden(GetParam().name);
  const Golden& x = expected.at("x");
  const Graph graph = one_op({x.dims[1], x.dims[2], x.dims[3]}, GetParam().op);
  tensor::Weights weights;
  for (const auto& [name, tensor] : expected) {
    if (name != "x" && name != "y") weights.tensors["op." + name] = tensor::make_tensor(tensor.dims, tensor.values);
  }
  const std::vector<float>& y = expected.at("y").values;
  // The inputs are below 4.5 in magnitude, so a product is below 20 and a sum of n products below 20 * n. The number of
  // roundings is used as n.
  for (const bool in_double : {false, true}) {
    const std::vector<float> got = run(graph, weights, x.values, x.dims[0], in_double);
    ASSERT_EQ(got.size(), y.size());
    const double roundings = in_double ? 0 : GetParam().float_roundings;
    for (std::size_t i = 0; i < y.size(); ++i) {
      // Two doubles that differ only in their last bits may be rounded to neighbouring floats, so 2 * kHalfUlp is
      // always allowed.
      const double tolerance = 2 * kHalfUlp * std::abs(y[i]) + roundings * kHalfUlp * 20 * roundings + 1e-44;
      ASSERT_NEAR(got[i], y[i], tolerance) << i << (in_double ? " in double" : " in float");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Golden, AgainstTorch,
    testing::Values(
        GoldenOp{"conv_symmetric",
                 Conv{.out_channels = 4, .kernel = 3, .stride = 2, .padding = Padding::symmetric, .bias = true}, 28},
        GoldenOp{"conv_same", Conv{.out_channels = 4, .kernel = 3, .stride = 2, .padding = Padding::same, .bias = true},
                 28},
        GoldenOp{"conv_valid",
                 Conv{.out_channels = 4, .kernel = 3, .stride = 3, .padding = Padding::valid, .bias = true}, 28},
        GoldenOp{"depthwise_symmetric",
                 Conv{.out_channels = 5, .kernel = 5, .groups = 5, .padding = Padding::symmetric}, 25},
        GoldenOp{"depthwise_same",
                 Conv{.out_channels = 5, .kernel = 5, .stride = 2, .groups = 5, .padding = Padding::same}, 25},
        GoldenOp{"conv_groups", Conv{.out_channels = 6, .kernel = 3, .groups = 2, .padding = Padding::symmetric}, 18},
        GoldenOp{"conv_pointwise", Conv{.out_channels = 9, .stride = 2, .padding = Padding::symmetric}, 17},
        GoldenOp{"max_pool", graph::Pool{PoolKind::max, 3, 2, Padding::symmetric, false}, 0},
        GoldenOp{"average_pool_counted", graph::Pool{PoolKind::average, 3, 2, Padding::symmetric, true}, 3},
        GoldenOp{"average_pool_valid", graph::Pool{PoolKind::average, 3, 2, Padding::symmetric, false}, 3},
        GoldenOp{"global_pool", graph::GlobalPool{}, 3}, GoldenOp{"pad_crop", graph::Pad{2, -3, -1, 1}, 0},
        GoldenOp{"batch_norm", graph::BatchNorm{.epsilon = 1e-3}, 0},
        GoldenOp{"relu", graph::Activate{Activation::relu}, 0},
        GoldenOp{"relu6", graph::Activate{Activation::relu6}, 0},
        GoldenOp{"silu", graph::Activate{Activation::silu}, 0},
        GoldenOp{"hard_swish", graph::Activate{Activation::hard_swish}, 0},
        GoldenOp{"sigmoid", graph::Activate{Activation::sigmoid}, 0}, GoldenOp{"linear", graph::Linear{4}, 12}),
    [](const auto& row) { return std::string(row.param.name); });

// ---- comparison with simple loops

struct Exact {
  std::vector<double> values, sizes;  // sizes: for each value, the sum of its absolute terms
};

Exact plain_conv(const Graph& graph, const tensor::Weights& weights, std::span<const float> input, std::int64_t batch) {
  const graph::Node& node = graph.nodes[1];
  const Conv& op = std::get<Conv>(node.op);
  const Chw in = graph.in(node), out = node.out;
  const graph::WindowPadding padding = graph::padding_of(graph, node);
  const std::vector<float> weight = tensor::to_floats(weights.at("op.weight"));
  const std::int64_t group_in = in.c / op.groups, group_out = out.c / op.groups;
  Exact exact;
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t o = 0; o < out.c; ++o)
      for (std::int64_t y = 0; y < out.h; ++y)
        for (std::int64_t x = 0; x < out.w; ++x) {
          const double bias = op.bias ? tensor::to_floats(weights.at("op.bias"))[static_cast<std::size_t>(o)] : 0.0;
          double sum = bias, size = std::abs(bias);
          for (std::int64_t i = 0; i < group_in; ++i)
            for (std::int64_t ky = 0; ky < op.kernel; ++ky)
              for (std::int64_t kx = 0; kx < op.kernel; ++kx) {
                const std::int64_t iy = y * op.stride + ky - padding.top, ix = x * op.stride + kx - padding.left;
                if (iy < 0 || iy >= in.h || ix < 0 || ix >= in.w) continue;
                const std::int64_t c = o / group_out * group_in + i;
                const double term =
                    double{weight[static_cast<std::size_t>(((o * group_in + i) * op.kernel + ky) * op.kernel + kx)]} *
                    input[static_cast<std::size_t>(((n * in.c + c) * in.h + iy) * in.w + ix)];
                sum += term;
                size += std::abs(term);
              }
          exact.values.push_back(sum);
          exact.sizes.push_back(size);
        }
  return exact;
}

void check_conv(const Chw& in, const Conv& op, std::int64_t batch) {
  SCOPED_TRACE(fmt::format("{}x{}x{} -> {} channels, kernel {} stride {} groups {} padding {} batch {}", in.c, in.h,
                           in.w, op.out_channels, op.kernel, op.stride, op.groups, arch::name(op.padding), batch));
  const Graph graph = one_op(in, op);
  const tensor::Weights weights = random_parameters(graph);
  const std::vector<float> input = random_values("input", batch * in.numel());
  const Exact exact = plain_conv(graph, weights, input, batch);
  // A float sum of n products: at most n + 2 roundings affect a term, 1 of its product, n of sums and 1 of the bias.
  // With double sums only the final rounding to float counts, and (n + 2) * 2^-52 of the size.
  const double roundings = static_cast<double>(in.c / op.groups * op.kernel * op.kernel + 2);
  for (const bool in_double : {false, true}) {
    const std::vector<float> got = run(graph, weights, input, batch, in_double);
    ASSERT_EQ(got.size(), exact.values.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double tolerance = in_double ? kHalfUlp * std::abs(exact.values[i]) + roundings * 0x1p-52 * exact.sizes[i]
                                         : roundings * kHalfUlp * exact.sizes[i];
      ASSERT_NEAR(got[i], exact.values[i], tolerance) << i << (in_double ? " in double" : " in float");
    }
  }
}

bool fits(const Chw& in, const Conv& op) {
  try {
    one_op(in, op);
    return true;
  } catch (const Error&) {
    return false;  // the window is larger than the input
  }
}

TEST(ReferenceConv, AwkwardSizes) {
  int checked = 0;
  for (const Size size : {Size{13, 11}, Size{1, 1}, Size{7, 5}}) {
    for (std::int64_t kernel = 1; kernel <= 7; ++kernel) {
      for (std::int64_t stride = 1; stride <= 3; ++stride) {
        for (const Padding padding : {Padding::same, Padding::symmetric, Padding::valid}) {
          for (const std::int64_t channels : {1, 3, 5, 17}) {
            const std::int64_t batch = 1 + (kernel + stride + channels) % 3;
            const Conv dense{.out_channels = 1 + (channels + kernel) % 6,
                             .kernel = kernel,
                             .stride = stride,
                             .padding = padding,
                             .bias = kernel % 2 == 0};
            const Conv depthwise{.out_channels = channels,
                                 .kernel = kernel,
                                 .stride = stride,
                                 .groups = channels,
                                 .padding = padding,
                                 .bias = stride == 2};
            const Conv grouped{.out_channels = 6, .kernel = kernel, .stride = stride, .groups = 2, .padding = padding};
            const Chw in{channels, size.h, size.w};
            if (!fits(in, dense)) continue;
            check_conv(in, dense, batch);
            check_conv(in, depthwise, batch);
            check_conv({2 * channels, size.h, size.w}, grouped, batch);
            ++checked;
          }
        }
      }
    }
  }
  EXPECT_GT(checked, 500);
}

// More than one tile of 64 pixels, 64 weights and 32 channels in each direction, and rows longer than the 256 pixels of
// a depthwise segment.
TEST(ReferenceConv, SeveralTiles) {
  check_conv({70, 9, 15}, {.out_channels = 67, .padding = Padding::same}, 2);
  check_conv({15, 11, 13}, {.out_channels = 33, .kernel = 3, .padding = Padding::symmetric, .bias = true}, 1);
  check_conv({66, 9, 9}, {.out_channels = 70, .kernel = 3, .stride = 2, .groups = 2, .padding = Padding::same}, 1);
  check_conv({130, 1, 1}, {.out_channels = 65, .bias = true}, 3);
  for (const std::int64_t stride : {1, 2, 3}) {
    check_conv({2, 3, 600}, {.out_channels = 2, .kernel = 5, .stride = stride, .groups = 2, .padding = Padding::same},
               1);
  }
}

// The special code for depthwise convolutions requires as many groups as input and output channels. Here each input
// channel has two output channels, so the general code runs.
TEST(ReferenceConv, ChannelMultiplier) {
  check_conv({5, 7, 6}, {.out_channels = 10, .kernel = 3, .groups = 5, .padding = Padding::same}, 2);
}

TEST(ReferencePool, AwkwardSizes) {
  for (const Size size : {Size{13, 11}, Size{1, 1}, Size{2, 7}}) {
    for (std::int64_t kernel = 1; kernel <= 5; ++kernel) {
      for (std::int64_t stride = 1; stride <= 3; ++stride) {
        for (const Padding padding : {Padding::same, Padding::symmetric, Padding::valid}) {
          for (const int kind : {0, 1, 2}) {  // maximum, average of valid pixels, average of the window
            const graph::Pool op{kind == 0 ? PoolKind::max : PoolKind::average, kernel, stride, padding, kind == 2};
            if (!fits({1, size.h, size.w}, {.out_channels = 1, .kernel = kernel, .stride = stride, .padding = padding}))
              continue;
            const Graph graph = one_op({3, size.h, size.w}, op);
            const graph::WindowPadding around = graph::padding_of(graph, graph.nodes[1]);
            const Chw out = graph.nodes[1].out;
            const std::vector<float> input = random_values("pool", 2 * 3 * size.h * size.w);
            const std::vector<float> in_float = run(graph, {}, input, 2);
            const std::vector<float> in_double = run(graph, {}, input, 2, true);
            std::size_t at = 0;
            for (std::int64_t plane = 0; plane < 6; ++plane)
              for (std::int64_t y = 0; y < out.h; ++y)
                for (std::int64_t x = 0; x < out.w; ++x, ++at) {
                  double sum = 0, absolute = 0, most = -std::numeric_limits<double>::infinity(), count = 0;
                  for (std::int64_t i = 0; i < kernel * kernel; ++i) {
                    const std::int64_t iy = y * stride + i / kernel - around.top,
                                       ix = x * stride + i % kernel - around.left;
                    if (iy < 0 || iy >= size.h || ix < 0 || ix >= size.w) continue;
                    const double value = input[static_cast<std::size_t>((plane * size.h + iy) * size.w + ix)];
                    sum += value, absolute += std::abs(value), most = std::max(most, value), ++count;
                  }
                  const double divisor = kind == 2 ? static_cast<double>(kernel * kernel) : count;
                  const double expected = kind == 0 ? most : sum / divisor;
                  const double tolerance = kind == 0 ? 0 : (count + 1) * kHalfUlp * absolute / divisor;
                  ASSERT_NEAR(in_float[at], expected, tolerance) << kernel << " " << stride << " " << kind;
                  ASSERT_NEAR(in_double[at], expected, kind == 0 ? 0 : 1.01 * kHalfUlp * std::abs(expected) + 1e-14);
                }
          }
        }
      }
    }
  }
}

// ---- whole graphs

// Returns a graph with branches, a value that is read twice, squeeze-and-excitation, concat, pad, a pool, and
// operations that work in place unless their input is read again.
Graph busy_graph(const Chw& in) {
  Builder b("busy", in);
  const NodeId stem = b.add("stem", Conv{.out_channels = 8, .kernel = 3, .stride = 2}, {0});
  const NodeId bn = b.add("bn", graph::BatchNorm{}, {stem});
  const NodeId act = b.add("act", graph::Activate{Activation::silu}, {bn});
  const NodeId depthwise = b.add("depthwise", Conv{.out_channels = 8, .kernel = 5, .groups = 8}, {act});
  const NodeId mean = b.add("se.pool", graph::GlobalPool{}, {depthwise});
  const NodeId reduce = b.add("se.reduce", Conv{.out_channels = 2, .bias = true}, {mean});
  const NodeId expand = b.add("se.expand", Conv{.out_channels = 8, .bias = true}, {reduce});
  const NodeId gate = b.add("se.gate", graph::Activate{Activation::sigmoid}, {expand});
  const NodeId scaled = b.add("se.scale", graph::Mul{}, {depthwise, gate});
  const NodeId dropped = b.add("drop_path", graph::DropPath{0.1}, {scaled});
  const NodeId sum = b.add("add", graph::Add{}, {dropped, act});
  const NodeId twice = b.add("twice", graph::Add{}, {sum, sum});
  const NodeId copy = b.add("identity", graph::Identity{}, {twice});
  const NodeId changed = b.add("changed", graph::Activate{Activation::relu}, {copy});  // must not overwrite `twice`
  const NodeId squashed = b.add("squashed", graph::Activate{Activation::sigmoid}, {twice});  // must not, either
  const NodeId pooled = b.add("pool", graph::Pool{PoolKind::max, 3, 1, Padding::same, false}, {twice});
  const NodeId shifted = b.add("pad", graph::Pad{-1, 1, 1, -1}, {twice});
  const NodeId all = b.add("concat", graph::Concat{}, {changed, pooled, shifted, squashed, twice});
  const NodeId features = b.add("global", graph::GlobalPool{}, {all});
  const NodeId dropout = b.add("dropout", graph::Dropout{0.2}, {features});
  b.graph().features = all;
  b.graph().logits = b.add("classifier", graph::Linear{5}, {dropout});
  return b.graph();
}

TEST(Reference, RunsEveryNode) {
  const Graph graph = busy_graph({3, 19, 14});
  const tensor::Weights weights = random_parameters(graph);
  const std::vector<float> input = random_values("busy", 2 * graph.input().numel());
  ThreadPool pool(2);
  const Parameters parameters(weights);
  const Reference reference(graph, parameters, pool);
  std::vector<std::string> names;
  for (const graph::Node& node : graph.nodes) names.push_back(node.name);
  const auto [logits, taps] = reference.run(input, 2, names);
  ASSERT_EQ(taps.size(), graph.nodes.size());
  EXPECT_EQ(taps.at("input"), input);
  EXPECT_EQ(taps.at("classifier"), logits);
  EXPECT_EQ(taps.at("dropout"), taps.at("global"));
  EXPECT_EQ(taps.at("identity"), taps.at("twice"));
  EXPECT_EQ(taps.at("drop_path"), taps.at("se.scale"));

  const Chw shape = graph.find("twice")->out;
  const std::vector<float>& twice = taps.at("twice");
  const std::vector<float>& concat = taps.at("concat");
  const auto one = static_cast<std::size_t>(shape.numel());
  ASSERT_EQ(concat.size(), 2 * 5 * one);
  for (std::size_t image = 0; image < 2; ++image) {
    for (std::size_t i = 0; i < one; ++i) {
      const std::size_t at = image * one + i;
      ASSERT_EQ(taps.at("add")[at], taps.at("se.scale")[at] + taps.at("act")[at]);
      ASSERT_EQ(taps.at("se.scale")[at],
                taps.at("depthwise")[at] * taps.at("se.gate")[at / static_cast<std::size_t>(shape.pixels())]);
      ASSERT_EQ(twice[at], 2 * taps.at("add")[at]);
      const float* const parts = concat.data() + image * 5 * one + i;
      ASSERT_EQ(parts[0], std::max(twice[at], 0.0F));
      ASSERT_EQ(parts[one], taps.at("pool")[at]);
      ASSERT_EQ(parts[2 * one], taps.at("pad")[at]);
      ASSERT_EQ(parts[3 * one], taps.at("squashed")[at]);
      ASSERT_EQ(parts[4 * one], twice[at]);
    }
  }
}

TEST(Reference, ThreadsAndTapsDoNotChangeBits) {
  const Graph graph = busy_graph({3, 61, 47});
  const tensor::Weights weights = random_parameters(graph);
  const std::vector<float> input = random_values("busy", 3 * graph.input().numel());
  for (const bool in_double : {false, true}) {
    const std::vector<float> expected = run(graph, weights, input, 3, in_double, 1);
    for (const int threads : {2, 3}) EXPECT_EQ(run(graph, weights, input, 3, in_double, threads), expected);
    ThreadPool pool(2);
    const Parameters parameters(weights);
    const Reference reference(graph, parameters, pool, {in_double});
    EXPECT_EQ(reference.run(input, 3, {"act", "twice"}).logits, expected);
    EXPECT_EQ(reference.run(input, 3), expected);  // a second run does not depend on the first
  }
}

TEST(Reference, ImagesOfABatchDoNotMix) {
  const Graph graph = busy_graph({3, 19, 14});
  const tensor::Weights weights = random_parameters(graph);
  const std::vector<float> input = random_values("busy", 3 * graph.input().numel());
  const std::vector<float> together = run(graph, weights, input, 3);
  const auto one = static_cast<std::size_t>(graph.input().numel());
  for (std::size_t image = 0; image < 3; ++image) {
    const std::vector<float> alone = run(graph, weights, std::span(input).subspan(image * one, one), 1);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(image * 5)));
  }
}

TEST(Reference, AnyNodeMayBeTheOutput) {
  Builder builder("input only", {2, 3, 1});
  const std::vector<float> input{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(run(builder.graph(), {}, input, 1), input);  // logits = 0, the input itself
  builder.graph().logits = builder.add("act", graph::Activate{Activation::relu6}, {0});
  builder.add("unread", graph::GlobalPool{}, {0});
  EXPECT_EQ(run(builder.graph(), {}, input, 1), input);
  EXPECT_EQ(input, (std::vector<float>{1, 2, 3, 4, 5, 6}));  // the input is not modified
}

TEST(Reference, NanPassesThrough) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> input{1, nan, 2, 3};
  for (const Op& op :
       {Op(graph::Activate{Activation::relu}), Op(graph::Activate{Activation::relu6}),
        Op(graph::Activate{Activation::silu}), Op(graph::Activate{Activation::sigmoid}),
        Op(graph::Activate{Activation::hard_swish}), Op(graph::Pool{PoolKind::max, 2, 2, Padding::same})}) {
    const std::vector<float> got = run(one_op({1, 2, 2}, op), {}, input, 1);
    EXPECT_TRUE(std::isnan(got.size() == 1 ? got[0] : got[1]));
  }
}

TEST(Reference, ExtremeActivations) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> input{infinity, -infinity, 3e38F, -3e38F, 88.8F, -88.8F};
  const auto activated = [&](Activation kind) { return run(one_op({6, 1, 1}, graph::Activate{kind}), {}, input, 1); };
  const std::vector<float> sigmoid = activated(Activation::sigmoid);
  EXPECT_EQ(sigmoid[0], 1.0F);
  EXPECT_EQ(sigmoid[1], 0.0F);
  EXPECT_EQ(sigmoid[2], 1.0F);
  EXPECT_EQ(sigmoid[3], 0.0F);
  EXPECT_FLOAT_EQ(sigmoid[5], std::exp(-88.8F));
  const std::vector<float> silu = activated(Activation::silu);
  EXPECT_EQ(silu[2], 3e38F);
  EXPECT_EQ(silu[3], 0.0F);
  EXPECT_EQ(silu[4], 88.8F);
}

void expect_usage_error(const Reference& reference, std::size_t values, std::int64_t batch) {
  try {
    reference.run(std::vector<float>(values), batch);
    FAIL() << values << " values, batch " << batch;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
  }
}

TEST(Reference, RefusesInputsThatDoNotFit) {
  const Graph graph = busy_graph({3, 9, 8});
  const Parameters parameters(random_parameters(graph));
  ThreadPool pool(1);
  const Reference reference(graph, parameters, pool);
  expect_usage_error(reference, 3 * 9 * 8, 0);
  expect_usage_error(reference, 3 * 9 * 8, -1);
  expect_usage_error(reference, 3 * 9 * 8, 2);
  expect_usage_error(reference, 3 * 9 * 8 + 1, 1);
  expect_usage_error(reference, 0, 1);
  expect_usage_error(reference, 1, std::numeric_limits<std::int64_t>::max());
  EXPECT_THROW(reference.run(std::vector<float>(3 * 9 * 8), 1, std::vector<std::string>{"nowhere"}), Error);
  const Parameters none{tensor::Weights{}};
  EXPECT_THROW(Reference(graph, none, pool), Error);
}

}  // namespace
}  // namespace effnet::engine
