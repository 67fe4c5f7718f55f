#include <gtest/gtest.h>
#include <malloc.h>

#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/random_key.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/graph/builder.h"
#include "effnet/nn/batch_norm.h"
#include "effnet/nn/nn_testing.h"
#include "effnet/nn/step.h"

namespace effnet::nn {
namespace {

using torch::Tensor;

// A network of one op on one input.
graph::Graph one_op(graph::Op op, Chw input) {
  graph::Builder builder("one", input);
  builder.graph().logits = builder.add("only", std::move(op), {0});
  return std::move(builder.graph());
}
Step step_of(const graph::Graph& graph, const NetworkOptions& options = {}) {
  return plain_step(
      graph, graph.logits, [](const std::string&) { return Tensor(); }, options);
}
Tensor run(const Step& step, const Tensor& x, const ForwardContext& pass = {}) { return step.run(std::array{x}, pass); }

// Every kind of pool, pad and activation must give the results of the engine's reference executor, on odd and even
// sizes. Window sums have at most 9 values, so the tolerance is a few roundings.
TEST(PlainStep, PoolsPadsAndActivationsMatchTheReference) {
  std::vector<graph::Op> ops;
  for (const auto padding : {graph::Padding::same, graph::Padding::symmetric, graph::Padding::valid}) {
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t kernel : {2, 3}) {
        ops.push_back(graph::Pool{graph::PoolKind::max, kernel, stride, padding, false});
        ops.push_back(graph::Pool{graph::PoolKind::average, kernel, stride, padding, false});
        ops.push_back(graph::Pool{graph::PoolKind::average, kernel, stride, padding, true});
      }
    }
  }
  for (const auto kind : {graph::Activation::relu, graph::Activation::relu6, graph::Activation::silu,
                          graph::Activation::hard_swish, graph::Activation::sigmoid}) {
    ops.push_back(graph::Activate{kind});
  }
  ops.push_back(graph::Pad{-1, 1, -1, 1});
  ops.push_back(graph::Pad{2, 0, 1, 3});
  ops.push_back(graph::Pad{-1, -2, 0, -1});
  ops.push_back(graph::GlobalPool{});
  ops.push_back(graph::Identity{});
  ThreadPool pool(1);
  for (const graph::Op& op : ops) {
    for (const Chw shape : {Chw{5, 8, 10}, Chw{3, 7, 11}}) {
      const graph::Graph graph = one_op(op, shape);
      const Tensor x = testkit::normal("x", {2, shape.c, shape.h, shape.w}, 3);
      const Tensor y = run(step_of(graph), x.contiguous(torch::MemoryFormat::ChannelsLast));
      EXPECT_TRUE(y.is_contiguous(torch::MemoryFormat::ChannelsLast)) << graph::op_name(op);
      const Chw out = graph.at(1).out;
      ASSERT_EQ(y.sizes().vec(), (std::vector<std::int64_t>{2, out.c, out.h, out.w})) << graph::op_name(op);
      const engine::Parameters none{tensor::Weights()};
      const auto expected =
          engine::Reference(graph, none, pool).run({x.data_ptr<float>(), static_cast<std::size_t>(x.numel())}, 2);
      const Tensor plain = y.contiguous();
      const std::span<const float> got(plain.data_ptr<float>(), static_cast<std::size_t>(plain.numel()));
      EXPECT_LE(engine::testkit::largest_difference(got, expected), 8 * 0x1p-23 * engine::testkit::largest_of(expected))
          << graph::op_name(op) << " of " << shape.h << "x" << shape.w;
    }
  }
}

struct BatchNormFixture {
  BatchNormState state;
  explicit BatchNormFixture(std::int64_t channels, double momentum = 0.9, bool unbiased = false)
      : state{testkit::normal("weight", {channels}, 0.2F).add_(1).set_requires_grad(true),
              testkit::normal("bias", {channels}).set_requires_grad(true),
              testkit::normal("mean", {channels}),
              testkit::normal("variance", {channels}).abs_(),
              1e-3,
              momentum,
              unbiased} {}
};

// Each of the two channels has two values with known statistics: 1 and 3 have mean 2, biased variance 1 and unbiased
// variance 2; 10 and 30 have mean 20, biased variance 100 and unbiased variance 200.
TEST(BatchNorm, UpdatesMovingStatisticsByTheDefinition) {
  const Tensor x = torch::tensor({1.0F, 10.0F, 3.0F, 30.0F}).view({2, 2, 1, 1});
  for (const bool unbiased : {false, true}) {
    BatchNormFixture norm(2, 0.75, unbiased);
    norm.state.mean.copy_(torch::tensor({4.0F, 0.0F}));
    norm.state.variance.copy_(torch::tensor({8.0F, 0.0F}));
    const Tensor y = batch_norm_training(x, norm.state, {});
    EXPECT_TRUE(torch::allclose(norm.state.mean, torch::tensor({3.5F, 5.0F}), 1e-6));
    const double factor = unbiased ? 2 : 1;
    const Tensor expected = torch::tensor({6 + 0.25 * factor, 25.0 * factor}).to(torch::kFloat);
    EXPECT_TRUE(torch::allclose(norm.state.variance, expected, 1e-6)) << norm.state.variance;
    // (1 - 2) / sqrt(1 + 0.001): the epsilon is inside the root.
    const double first = (y[0][0] - norm.state.bias[0]).item<double>() / norm.state.weight[0].item<double>();
    EXPECT_NEAR(first, -1 / std::sqrt(1.001), 1e-6);
  }
}

TEST(BatchNorm, OneValuePerChannelHasVarianceZero) {
  for (const bool unbiased : {false, true}) {
    BatchNormFixture norm(3, 0.5, unbiased);
    const Tensor before = norm.state.variance.clone();
    batch_norm_training(testkit::normal("x", {1, 3, 1, 1}), norm.state, {});
    EXPECT_TRUE(torch::allclose(norm.state.variance, before * 0.5)) << norm.state.variance;
  }
}

// Two processes (here: threads) with synchronised batch norm must give the outputs, statistics and gradients of one
// process with both batches. The second batch is smaller. All values are near 100, where the formula E[x^2] - E[x]^2
// would lose 4 digits.
TEST(BatchNorm, TwoProcessesMatchTheWholeBatch) {
  const std::int64_t channels = 6;
  const Tensor whole = testkit::normal("whole", {5, channels, 4, 3}) + 100;
  const Tensor target = testkit::normal("target", {5, channels, 4, 3});
  for (const bool unbiased : {false, true}) {
    BatchNormFixture one(channels, 0.9, unbiased);
    Tensor x = whole.clone().contiguous(torch::MemoryFormat::ChannelsLast).set_requires_grad(true);
    const Tensor y = batch_norm_training(x, one.state, {});
    (y * target).sum().backward();

    testkit::ProcessPair pair;
    BatchNormFixture norms[2] = {BatchNormFixture(channels, 0.9, unbiased), BatchNormFixture(channels, 0.9, unbiased)};
    Tensor inputs[2], outputs[2];
    const auto process = [&](int rank) {
      const std::int64_t first = rank == 0 ? 0 : 3, count = rank == 0 ? 3 : 2;
      inputs[rank] = whole.narrow(0, first, count).clone().set_requires_grad(true);
      ForwardContext pass;
      pass.all_reduce = pair.all_reduce(rank);
      outputs[rank] = batch_norm_training(inputs[rank], norms[rank].state, pass);
      (outputs[rank] * target.narrow(0, first, count)).sum().backward();
    };
    std::thread other(process, 1);
    process(0);
    other.join();

    // The inputs are near 100, so both results contain their rounding error of about 100 * 2^-24, and the standard
    // deviation of the inputs is 1. The tolerance is 4 such errors.
    constexpr double kTolerance = 4 * 100 * 0x1p-24;
    EXPECT_LT(testkit::relative(torch::cat({outputs[0], outputs[1]}), y), kTolerance);
    EXPECT_LT(testkit::relative(torch::cat({inputs[0].grad(), inputs[1].grad()}), x.grad()), kTolerance);
    EXPECT_LT(testkit::relative(norms[0].state.weight.grad() + norms[1].state.weight.grad(), one.state.weight.grad()),
              kTolerance);
    EXPECT_LT(testkit::relative(norms[0].state.bias.grad() + norms[1].state.bias.grad(), one.state.bias.grad()),
              kTolerance);
    for (const BatchNormFixture& norm : norms) {
      EXPECT_LT(testkit::relative(norm.state.mean, one.state.mean), 1e-6);
      EXPECT_LT(testkit::relative(norm.state.variance, one.state.variance), kTolerance);
    }
  }
}

// Checks the gradient's formula independently, by central differences in double.
TEST(BatchNorm, SynchronisedGradientMatchesDifferenceQuotients) {
  BatchNormFixture norm(3);
  for (Tensor* tensor : {&norm.state.weight, &norm.state.bias, &norm.state.mean, &norm.state.variance}) {
    *tensor = tensor->detach().to(torch::kDouble);
  }
  ForwardContext pass;
  pass.all_reduce = [](const Tensor& values) { return values * 2; };  // simulates a second process with the same batch
  const Tensor target = testkit::normal("target", {2, 3, 2, 2}).to(torch::kDouble);
  const auto loss = [&](const Tensor& x) { return (batch_norm_training(x, norm.state, pass) * target).sum(); };
  Tensor x = testkit::normal("x", {2, 3, 2, 2}).to(torch::kDouble).set_requires_grad(true);
  loss(x).backward();
  const torch::NoGradGuard no_gradient;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double h = 1e-5;
    Tensor high = x.clone(), low = x.clone();
    high.view(-1)[i] += h;
    low.view(-1)[i] -= h;
    // The simulated second process always has the same x. So a change of x changes the inputs of both processes, and
    // the derivative of the sum of both losses is twice the derivative of this loss. x.grad() is the derivative with
    // respect to the input of one process only. It is half as large, and so equals the derivative of this loss.
    const double numeric = ((loss(high) - loss(low)) / (2 * h)).item<double>();
    EXPECT_NEAR(x.grad().view(-1)[i].item<double>(), numeric, 1e-8) << i;
  }
}

TEST(Drop, DropoutDrawsOneNumberPerChannel) {
  const graph::Graph graph = one_op(graph::Dropout{0.4}, {7, 1, 1});
  const Tensor x = torch::ones({3, 7, 1, 1});
  ForwardContext pass{.training = true, .seed = 5, .epoch = 2, .samples = {11, 4, 900}};
  const Tensor y = run(step_of(graph), x, pass);
  int dropped = 0;
  for (std::int64_t n = 0; n < 3; ++n) {
    Draws draws(
        {.seed = 5, .epoch = 2, .sample = static_cast<std::uint64_t>(pass.samples[static_cast<std::size_t>(n)])},
        "only");
    for (std::int64_t c = 0; c < 7; ++c) {
      const bool drop = draws.uniform() < 0.4;
      dropped += drop;
      EXPECT_EQ(y[n][c].item<float>(), drop ? 0.0F : static_cast<float>(1 / 0.6));
    }
  }
  EXPECT_GT(dropped, 0);
  EXPECT_LT(dropped, 21);
  EXPECT_TRUE(torch::equal(run(step_of(graph), x), x));  // inference
}

// One draw per sample, which depends neither on the batch nor on the sample's position in it. Over many samples the
// fraction of dropped samples is the rate.
TEST(Drop, DropPathDrawsOneNumberPerSample) {
  const graph::Graph graph = one_op(graph::DropPath{0.2}, {2, 3, 3});
  const Tensor x = torch::ones({4000, 2, 3, 3});
  const ForwardContext pass = testkit::training_pass(4000);
  const Tensor y = run(step_of(graph), x, pass);
  const Tensor first = y.select(1, 0).select(1, 0).select(1, 0);
  EXPECT_TRUE(torch::equal(y, first.view({-1, 1, 1, 1}).expand_as(y)));
  // The number of dropped samples is binomial: the fraction's standard deviation is sqrt(0.2 * 0.8 / 4000). Five of
  // these are allowed.
  EXPECT_NEAR((first == 0).to(torch::kDouble).mean().item<double>(), 0.2, 5 * std::sqrt(0.16 / 4000));
  EXPECT_FLOAT_EQ(first.max().item<float>(), 1.25F);

  ForwardContext other{.training = true, .seed = 1, .epoch = 0, .samples = {17, 3}};
  const Tensor z = run(step_of(graph), x.narrow(0, 0, 2), other);
  EXPECT_TRUE(torch::equal(z[0], y[17]));
  EXPECT_TRUE(torch::equal(z[1], y[3]));
  other.epoch = 1;
  ForwardContext long_pass = pass;
  long_pass.epoch = 1;
  EXPECT_FALSE(torch::equal(run(step_of(graph), x, long_pass), y));
}

TEST(Drop, MissingSampleIndicesAndInvalidRatesAreRejected) {
  const graph::Graph graph = one_op(graph::DropPath{0.2}, {2, 3, 3});
  EXPECT_THROW(run(step_of(graph), torch::ones({2, 2, 3, 3}), testkit::training_pass(1)), Error);
  EXPECT_THROW(step_of(one_op(graph::DropPath{1}, {2, 3, 3})), Error);
}

// Bytes in allocations above malloc's largest mmap threshold (32 MB); each of them is mapped separately.
std::size_t mapped_bytes() { return mallinfo2().hblkhd; }
constexpr std::int64_t kLargeChannels = 10, kLargeSide = 1000;
constexpr std::size_t kLarge = 4 * kLargeChannels * kLargeSide * kLargeSide;  // 40 MB

// Forward keeps x and returns y, but keeps neither y nor the sigmoid.
TEST(PlainStep, SiluKeepsOnlyItsInput) {
  const graph::Graph graph = one_op(graph::Activate{graph::Activation::silu}, {kLargeChannels, kLargeSide, kLargeSide});
  const Step step = step_of(graph);
  Tensor x = torch::ones({1, kLargeChannels, kLargeSide, kLargeSide}).set_requires_grad(true);
  const std::size_t before = mapped_bytes();
  Tensor y = run(step, x);
  EXPECT_LT(mapped_bytes() - before, kLarge + kLarge / 2);
  Tensor sum = y.sum();
  y.reset();
  EXPECT_LT(mapped_bytes() - before, kLarge / 2);  // y was not kept
  sum.backward();
  const double s = 1 / (1 + std::exp(-1.0));
  EXPECT_NEAR(x.grad().view(-1)[0].item<double>(), s * (1 + 1 - s), 1e-6);
}

// Without gradients, a value is freed after the last step that reads it: on a chain of eight large tensors at most
// three exist at a time (a step's input and output, and a temporary copy by LibTorch).
TEST(Network, FreesValuesAfterTheirLastReader) {
  graph::Builder builder("chain", {kLargeChannels, kLargeSide, kLargeSide});
  graph::NodeId x = 0;
  for (int i = 0; i < 8; ++i) {
    x = builder.add(fmt::format("bn{}.bn", i), graph::BatchNorm{}, {x});
  }
  builder.graph().logits = builder.add("pool", graph::GlobalPool{}, {x});
  const graph::Graph graph = std::move(builder.graph());
  Network network(graph, ParameterStore::initialised(graph, 0));
  const Tensor images =
      torch::ones({1, kLargeChannels, kLargeSide, kLargeSide}).contiguous(torch::MemoryFormat::ChannelsLast);
  const std::size_t before = mapped_bytes();
  std::size_t most = 0;
  ForwardContext pass{.training = true, .seed = 0, .epoch = 0};
  pass.all_reduce = [&](const Tensor& values) {  // called within each batch norm
    most = std::max(most, mapped_bytes() - before);
    return values;
  };
  const torch::NoGradGuard no_gradient;
  network.forward(images, pass);
  EXPECT_GE(most, kLarge / 2);  // proves that mapped_bytes() sees these tensors
  EXPECT_LT(most, 3 * kLarge + kLarge / 2);
}

}  // namespace
}  // namespace effnet::nn
