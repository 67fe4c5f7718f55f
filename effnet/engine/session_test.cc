// The behaviour of a Session apart from its logits (small_networks_test.cc): kept outputs, errors, and the caller's
// floating-point state.
#include "effnet/engine/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>
#include <thread>
#include <type_traits>

#include "effnet/base/error.h"
#include "effnet/base/float_state_testing.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/costs.h"

namespace effnet::engine {
namespace {

using graph::NodeId;
using testing::HasSubstr;

constexpr Size kSize{31, 17};

// Returns the code and the text of the error that `call` throws.
template <class Call>
std::pair<ErrorCode, std::string> error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::internal, ""};
}
template <class Call>
void expect_error(Call call, ErrorCode code, const std::string& part) {
  const auto [got, text] = error_of(call);
  EXPECT_EQ(got, code) << text;
  EXPECT_THAT(text, HasSubstr(part));
}

NodeId id_of(const graph::Graph& graph, std::string_view name) {
  const graph::Node* const node = graph.find(name);
  EXPECT_NE(node, nullptr) << name;
  return node == nullptr ? 0 : static_cast<NodeId>(node - graph.nodes.data());
}

// Returns the weights with the first value of one tensor replaced.
tensor::Weights with_value(tensor::Weights weights, const std::string& tensor, float value) {
  const tensor::Tensor old = weights.tensors.at(tensor);
  const Parameters parameters(weights);
  const auto values = parameters.find(tensor).value();
  std::vector<float> changed(values.begin(), values.end());
  changed[0] = value;
  weights.tensors[tensor] = tensor::make_tensor(old.dims, std::move(changed));
  return weights;
}

class SessionTest : public testing::Test {
 protected:
  std::vector<float> images(std::int64_t batch) const {
    return testkit::normal_values("images", batch * graph_.input().numel());
  }

  graph::Graph graph_ = testkit::lower_at(testkit::mbconv_network(), kSize);
  std::shared_ptr<const PackedWeights> weights_ = testkit::pack(graph_, kernels::chosen_isa());
};

TEST_F(SessionTest, ReportsItsProperties) {
  const Session session(graph_, weights_, {.batch = 2, .threads = 3});
  EXPECT_EQ(session.input_shape(), (Chw{3, kSize.h, kSize.w}));
  EXPECT_EQ(session.classes(), 37);
  EXPECT_EQ(session.batch(), 2);
  EXPECT_EQ(session.threads(), 3);
  EXPECT_EQ(session.isa(), kernels::chosen_isa());
  EXPECT_EQ(session.weights_bytes(), PackedWeights::size_bytes(graph_, session.target()));
  EXPECT_EQ(session.target(), (kernels::Target{session.isa(), kernels::Precision::fp32}));

  std::int64_t macs = 0, step_macs = 0;
  for (const graph::Node& node : graph_.nodes) {
    if (std::holds_alternative<graph::Conv>(node.op) || std::holds_alternative<graph::Linear>(node.op)) {
      macs += 2 * graph::costs(graph_, node).macs;
    }
  }
  for (const StepInfo& step : session.steps()) {
    step_macs += step.macs;
    EXPECT_GT(step.bytes, 0) << step.name;
    EXPECT_EQ(step.ms, 0) << step.name;
    EXPECT_NE(graph_.find(step.name), nullptr) << step.name;
    EXPECT_TRUE(step.kernel.ends_with(kernels::name(session.isa()))) << step.kernel;
  }
  EXPECT_EQ(step_macs, macs);
}

TEST_F(SessionTest, ProfileTimesTheSameSteps) {
  Session session(graph_, weights_);
  const std::vector<StepInfo> times = session.profile(images(1));
  ASSERT_EQ(times.size(), session.steps().size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(times[i].name, session.steps()[i].name);
    EXPECT_GT(times[i].ms, 0);
  }
  EXPECT_THROW(session.profile(images(2)), Error);
}

TEST_F(SessionTest, PixelsGiveTheSameBitsAsTheNormalisedTensor) {
  constexpr std::int64_t kImages = 2;
  const Session::Normalisation normalisation{.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
  const auto pixels = static_cast<std::size_t>(kSize.h * kSize.w);
  std::vector<std::uint8_t> rgb(kImages * pixels * 3);
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<std::uint8_t>(i * 151 + i / 256);
  std::vector<float> tensor(rgb.size());
  for (std::size_t image = 0; image < kImages; ++image) {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t p = 0; p < pixels; ++p) {
        const double byte = rgb[(image * pixels + p) * 3 + c];
        tensor[(image * 3 + c) * pixels + p] =
            static_cast<float>((byte - 255 * normalisation.mean[c]) / (255 * normalisation.std[c]));
      }
    }
  }
  Session session(graph_, weights_, {.batch = kImages, .threads = 2});
  std::vector<float> logits(static_cast<std::size_t>(kImages * session.classes()));
  session.run(rgb, normalisation, logits);
  const std::vector<float> expected = testkit::run(session, tensor);
  EXPECT_EQ(logits, expected);
  const std::vector<float> floats(rgb.begin(), rgb.end());
  session.run(floats, normalisation, logits);
  EXPECT_EQ(logits, expected);
  expect_error([&] { session.run(std::span(rgb).first(9), normalisation, logits); }, ErrorCode::usage, "got 9 values");
}

TEST_F(SessionTest, KeptOutputsAgreeWithTheReference) {
  constexpr std::int64_t kImages = 2;
  std::vector<NodeId> keep = graph_.reductions;
  // Includes nodes that are fused by default: an activation before a depthwise convolution, a scaled tensor, a sigmoid.
  for (const char* const node : {"stem.act", "stages.1.1.expand.act", "stages.1.1.se.scale", "stages.1.1.se.gate",
                                 "stages.1.0.depthwise.bn", "stages.1.1.project.bn", "head.pool"}) {
    keep.push_back(id_of(graph_, node));
  }
  keep.push_back(graph_.features);
  std::vector<std::string> names;
  for (const NodeId id : keep) names.push_back(graph_.at(id).name);

  const std::vector<float> input = images(kImages);
  const Parameters parameters(testkit::nontrivial_weights(graph_));
  ThreadPool pool(1);
  const auto exact = Reference(graph_, parameters, pool, {.double_accumulation = true}).run(input, kImages, names);
  const auto rough = Reference(graph_, parameters, pool).run(input, kImages, names);
  for (const kernels::Isa isa : kernels::usable_sets()) {
    Session session(graph_, testkit::pack(graph_, parameters, isa), {.batch = kImages, .threads = 2, .keep = keep});
    const auto logits = testkit::run(session, input);
    EXPECT_EQ(session.output(graph_.logits), logits);
    for (const NodeId id : keep) {
      const std::string& name = graph_.at(id).name;
      const testkit::Truth truth = testkit::truth_from(exact.activations.at(name), rough.activations.at(name));
      EXPECT_LE(testkit::largest_difference(session.output(id), truth.values), truth.tolerance) << name << " " << isa;
    }
    expect_error([&] { session.output(id_of(graph_, "stages.0.0.se.pool")); }, ErrorCode::usage, "was not kept");
  }
}

// The outputs of blocks and the features are stored anyway, so keeping them only costs memory.
TEST_F(SessionTest, KeepingFeaturesAndReductionsDoesNotChangeBits) {
  std::vector<NodeId> keep = graph_.reductions;
  keep.push_back(graph_.features);
  const std::vector<float> input = images(1);
  Session plain(graph_, weights_);
  Session keeping(graph_, weights_, {.keep = keep});
  EXPECT_EQ(testkit::run(plain, input), testkit::run(keeping, input));
  EXPECT_EQ(plain.steps().size(), keeping.steps().size());
}

TEST_F(SessionTest, FusedNodesCannotBeKept) {
  for (const char* const node : {"stem.conv", "stages.1.1.expand.conv", "stages.1.1.drop_path"}) {
    expect_error([&] { Session(graph_, weights_, {.keep = {id_of(graph_, node)}}); }, ErrorCode::usage, node);
  }
}

TEST_F(SessionTest, IdsThatAreNotLayersCannotBeKept) {
  const auto nodes = static_cast<NodeId>(graph_.nodes.size());
  for (const NodeId id : {NodeId{0}, NodeId{-1}, nodes, std::numeric_limits<NodeId>::max()}) {
    expect_error([&] { Session(graph_, weights_, {.keep = {id}}); }, ErrorCode::usage,
                 "out of range in SessionOptions::keep");
  }
}

// ---- NaN and infinity

TEST_F(SessionTest, CorruptWeightsNameTheirLayer) {
  // Each row: the corrupt parameter; the step that the error names with the default plan; the step that the error names
  // if no nodes are fused.
  constexpr std::array<std::array<const char*, 3>, 7> kLayers{{
      // By default the stem runs inside the step of the first depthwise convolution.
      {"stem.conv.weight", "stages.0.0.depthwise.act", "stem.bn"},
      {"stages.0.0.project.bn.bias", "stages.0.0.project.bn", "stages.0.0.project.bn"},
      {"stages.1.0.expand.conv.weight", "stages.1.0.depthwise.act", "stages.1.0.expand.bn"},
      {"stages.1.0.se.reduce.bias", "stages.1.0.se.act", "stages.1.0.se.reduce"},
      {"stages.1.1.project.conv.weight", "stages.1.1.add", "stages.1.1.project.bn"},
      {"head.bn.running_mean", "head.act", "head.bn"},
      {"classifier.bias", "classifier", "classifier"},
  }};
  const PlanOptions single{false, false, false, false};
  const tensor::Weights good = testkit::nontrivial_weights(graph_);
  for (const kernels::Isa isa : kernels::usable_sets()) {
    for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      for (const auto& [tensor, fused, alone] : kLayers) {
        // An infinite input to the sigmoid gives 1, so there is no error.
        if (std::isinf(value) && std::string_view(tensor).find(".se.") != std::string_view::npos) continue;
        SCOPED_TRACE(fmt::format("{} {} {}", tensor, value, kernels::name(isa)));
        const auto weights = testkit::pack(graph_, Parameters(with_value(good, tensor, value)), isa);
        expect_error([&] { testkit::run(graph_, weights, images(2), {.batch = 2, .threads = 2}); }, ErrorCode::input,
                     fmt::format("the output of {} contains", fused));
        expect_error([&] { testkit::run(graph_, weights, images(1), {.plan = single}); }, ErrorCode::input,
                     fmt::format("the output of {} contains", alone));
      }
    }
  }
}

// A single NaN or infinity anywhere in the input gives an error with the words "the input", and the next run is not
// affected. For this, clamps and maxima must let NaN pass through. A 7x7 first layer also reads a float beyond the last
// row.
TEST(SessionInput, NonFiniteValuesAreReportedAndDoNotAffectTheNextRun) {
  arch::ArchSpec pooled =
      testkit::network("pooled", {{.block = "bottleneck", .channels = 10}, {.channels = 20, .kernel = 5, .expand = 2}});
  pooled.activation = pooled.head.activation = arch::Activation::relu6;
  pooled.stem = {.kernel = 7, .activation = arch::Activation::relu, .pool = arch::PoolKind::max};
  for (const arch::ArchSpec& spec : {pooled, testkit::mbconv_network()}) {
    const graph::Graph graph = testkit::lower_at(spec, {13, 11});
    const std::vector<float> input = testkit::normal_values("images", 2 * graph.input().numel());
    for (const kernels::Isa isa : kernels::usable_sets()) {
      Session session(graph, testkit::pack(graph, isa), {.batch = 2, .threads = 2});
      const auto expected = testkit::run(session, input);
      for (const float value : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        for (const std::size_t at : {std::size_t{0}, input.size() / 2 + 70, input.size() - 1}) {
          SCOPED_TRACE(fmt::format("{} {} at {}, {}", spec.name, value, at, kernels::name(isa)));
          std::vector<float> broken = input;
          broken[at] = value;
          expect_error([&] { testkit::run(session, broken); }, ErrorCode::input, "the input contains NaN or infinity");
          EXPECT_EQ(testkit::run(session, input), expected);
        }
      }
      // All values are NaN, and everything that the network computes from them stays in memory.
      const std::vector<float> all(input.size(), std::numeric_limits<float>::quiet_NaN());
      expect_error([&] { testkit::run(session, all); }, ErrorCode::input, "the input contains NaN or infinity");
      EXPECT_EQ(testkit::run(session, input), expected) << spec.name << " " << isa;
    }
  }
}

// An overflow in a layer is reported for that layer and not for the input, also in a second and third run, in which the
// memory contains the results of the run before.
TEST(SessionInput, OverflowIsReportedForItsLayer) {
  arch::ArchSpec spec = testkit::network("overflow", {{.channels = 20, .expand = 2}, {.channels = 24, .expand = 2}});
  spec.stem.kernel = 7;
  const graph::Graph graph = testkit::lower_at(spec, {13, 11});
  const auto weights = with_value(testkit::nontrivial_weights(graph), "stages.0.0.project.bn.weight", 3e38F);
  const std::vector<float> input = testkit::normal_values("images", graph.input().numel(), 100);
  for (const kernels::Isa isa : kernels::usable_sets()) {
    Session session(graph, testkit::pack(graph, Parameters(weights), isa));
    for (int again = 0; again < 3; ++again) {
      expect_error([&] { testkit::run(session, input); }, ErrorCode::input,
                   "the output of stages.0.0.project.bn contains");
    }
  }
}

// ---- wrong calls

TEST_F(SessionTest, WrongSizesAreRefused) {
  Session session(graph_, weights_, {.batch = 2});
  std::vector<float> logits(74);
  expect_error([&] { session.run(images(1), logits); }, ErrorCode::usage, "expected 2 x 3 x 31 x 17");
  expect_error([&] { session.run(images(2), std::span(logits).first(73)); }, ErrorCode::usage, "expected 74");
  for (const std::int64_t batch : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{65537}}) {
    expect_error([&] { Session(graph_, weights_, {.batch = batch}); }, ErrorCode::usage, "batch out of range");
  }
  for (const int threads : {0, -1, 5000}) {
    expect_error([&] { Session(graph_, weights_, {.threads = threads}); }, ErrorCode::usage, "");
  }
}

TEST_F(SessionTest, WeightsOfAnotherNetworkAreRefused) {
  arch::ArchSpec deeper = testkit::mbconv_network();
  deeper.stages.push_back(deeper.stages.back());
  arch::ArchSpec wider = testkit::mbconv_network();  // has the same nodes
  wider.stages[1].channels = 64;
  // `swapped` and `swapping` have the same nodes, and packed weights of the same size.
  arch::ArchSpec swapped = testkit::network("", {{.channels = 17}, {.channels = 32}});
  arch::ArchSpec swapping = testkit::network("", {{.channels = 32}, {.channels = 17}});
  swapping.head.channels = swapped.head.channels = 0;
  const auto expect_refused = [&](const arch::ArchSpec& wanted, const arch::ArchSpec& given) {
    const auto weights = testkit::pack(testkit::lower_at(given, kSize), weights_->isa());
    expect_error([&] { Session(testkit::lower_at(wanted, kSize), weights); }, ErrorCode::input, "to another network");
  };
  expect_refused(testkit::mbconv_network(), deeper);
  expect_refused(testkit::mbconv_network(), wider);
  expect_refused(wider, testkit::mbconv_network());
  expect_refused(swapped, swapping);
}

// ---- sharing and state

TEST_F(SessionTest, IsMovableAndNotCopyable) {
  static_assert(!std::is_copy_constructible_v<Session> && !std::is_copy_assignable_v<Session>);
  static_assert(std::is_nothrow_move_constructible_v<Session> && std::is_nothrow_move_assignable_v<Session>);
  const std::vector<float> input = images(1);
  Session first(graph_, weights_, {.threads = 2});
  const auto expected = testkit::run(first, input);
  Session second = std::move(first);
  EXPECT_EQ(testkit::run(second, input), expected);
  Session third(testkit::lower_at(testkit::mbconv_network(), {13, 11}), weights_);
  third = std::move(second);
  EXPECT_EQ(testkit::run(third, input), expected);
}

// Two sessions of different sizes use the same weights at the same time, after the other owners of the weights are
// gone.
TEST_F(SessionTest, SessionsShareWeights) {
  const graph::Graph other = testkit::lower_at(testkit::mbconv_network(), {40, 24});
  const std::vector<float> small = images(1);
  const std::vector<float> large = testkit::normal_values("images", other.input().numel());
  const auto expected_small = testkit::run(graph_, weights_, small, {});
  const auto expected_large = testkit::run(other, weights_, large, {});
  Session first(graph_, weights_, {.threads = 2}), second(other, weights_);
  weights_.reset();
  const auto repeat = [](Session& session, const std::vector<float>& input, const std::vector<float>& expected) {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(testkit::run(session, input), expected);
  };
  std::thread beside([&] { repeat(second, large, expected_large); });
  repeat(first, small, expected_small);
  beside.join();
}

#if EFFNET_HAS_FLOAT_STATE
TEST_F(SessionTest, CallersFloatingPointStateIsRestored) {
  Session session(graph_, weights_, {.threads = 2});
  const std::vector<float> input = images(1);
  std::vector<float> broken = input;
  broken[7] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> logits(37);
  using namespace testing_support;
  const unsigned before = float_state();
  for (const unsigned changes : {0U, kFlushesDenormals, kRoundsToZero}) {
    const unsigned state = float_state_with(changes);
    set_float_state(state);
    session.run(input, logits);
    const unsigned after_run = float_state();
    bool threw = false;
    try {
      session.run(broken, logits);
    } catch (const Error&) {
      threw = true;
    }
    const unsigned after_error = float_state();
    set_float_state(before);
    EXPECT_EQ(after_run, state);
    EXPECT_EQ(after_error, state);
    EXPECT_TRUE(threw);
  }
}

TEST_F(SessionTest, DenormalsCountAsZero) {
  for (const kernels::Isa isa : kernels::usable_sets()) {
    Session session(graph_, testkit::pack(graph_, isa), {.threads = 2});
    const auto size = static_cast<std::size_t>(graph_.input().numel());
    EXPECT_EQ(testkit::run(session, std::vector<float>(size, 1e-39F)),
              testkit::run(session, std::vector<float>(size, 0.0F)));
  }
}
#endif

TEST(Session, NullWeightsAreRefused) {
  const graph::Graph graph = testkit::lower_at(testkit::mbconv_network(), {32, 32});
  try {
    const Session session(graph, nullptr);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
  }
}

// For inconsistent graphs, which a program can build itself, the constructor throws. Otherwise a run could write
// outside of its buffers.
TEST(Session, InconsistentGraphsAreRefused) {
  const graph::Graph good = testkit::lower_at(testkit::mbconv_network(), {32, 32});
  const auto weights = testkit::pack(good, kernels::Isa::portable);
  const auto refusal = [&](const graph::Graph& graph) {
    try {
      const Session session(graph, weights);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(refusal(good), "no error");
  const auto with = [&](const char* node, const std::function<void(graph::Node&)>& change) {
    graph::Graph graph = good;
    for (graph::Node& one : graph.nodes) {
      if (one.name == node) change(one);
    }
    return refusal(graph);
  };
  EXPECT_THAT(with("stages.1.0.depthwise.conv", [](graph::Node& n) { n.out.h *= 2; }),
              HasSubstr("stages.1.0.depthwise"));
  EXPECT_THAT(with("stages.1.0.depthwise.conv", [](graph::Node& n) { std::get<graph::Conv>(n.op).stride = 0; }),
              HasSubstr("stages.1.0.depthwise.conv: stride: out of range (got 0"));
  EXPECT_THAT(with("stem.conv", [](graph::Node& n) { n.out.w = 1; }), HasSubstr("stem.conv"));
  EXPECT_THAT(with("stages.1.1.add", [](graph::Node& n) { n.inputs[1] = 100000; }), HasSubstr("stages.1.1.add"));
  EXPECT_THAT(with("head.pool", [](graph::Node& n) { n.out.h = 2; }), HasSubstr("head.pool"));
  graph::Graph maps = good;  // the output would have one logit per pixel and would not fit the buffer of run()
  maps.logits = maps.features;
  EXPECT_THAT(refusal(maps), HasSubstr("the output is not a vector"));
}

TEST(Session, WindowsThatAreTooLargeForADepthwiseStepAreRefused) {
  const auto network = [](std::int64_t kernel) {
    graph::Builder builder("large", {3, 140, 8});
    graph::NodeId x = builder.add("conv", graph::Conv{.out_channels = 8}, {0});
    x = builder.add("dw", graph::Conv{.out_channels = 8, .kernel = kernel, .groups = 8}, {x});
    x = builder.add("pool", graph::GlobalPool{}, {x});
    builder.graph().logits = builder.add("fc", graph::Linear{4}, {x});
    return builder.graph();
  };
  for (const std::int64_t kernel : {16, 127, 128}) {
    const graph::Graph graph = network(kernel);
    const Parameters parameters(testkit::nontrivial_weights(graph));
    const auto input = testkit::normal_values("images", graph.input().numel());
    const testkit::Truth truth = testkit::truth_of(graph, parameters, input, 1);
    for (const kernels::Isa isa : kernels::usable_sets()) {
      const auto logits = testkit::run(graph, testkit::pack(graph, parameters, isa), input, {});
      EXPECT_LE(testkit::largest_difference(logits, truth.values), truth.tolerance) << kernel << " " << isa;
    }
  }
  for (const std::int64_t kernel : {129, 130, 1001}) {
    const graph::Graph graph = network(kernel);
    try {
      const Session session(graph, testkit::pack(graph, kernels::Isa::portable));
      FAIL() << kernel;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), HasSubstr("dw: the window of a depthwise convolution is too large"));
      EXPECT_THAT(error.hint(), HasSubstr("--backend reference"));
    }
  }
}

}  // namespace
}  // namespace effnet::engine
