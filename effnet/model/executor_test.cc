#include "effnet/model/executor.h"

#include <gmock/gmock.h>

#include <array>

#include "effnet/base/error.h"
#include "effnet/model/classifier.h"
#include "effnet/model/model_testing.h"
#include "effnet/vision/preprocess.h"

namespace effnet::model {
namespace {

using engine::testkit::largest_difference;
using testing::ElementsAre;
using testkit::kSide;
using testkit::tiny_model;

class Executors : public testkit::WithHome {
 protected:
  static std::vector<float> values_for(Size size, std::int64_t batch) {
    return engine::testkit::normal_values("images", 3 * size.h * size.w * batch);
  }
  engine::testkit::Truth truth(Size size, std::span<const float> values, std::int64_t batch) {
    const engine::Parameters parameters(model_.load_weights().weights);
    return engine::testkit::truth_of(*model_.graph(size), parameters, values, batch);
  }

  ModelHandle model_{tiny_model(), pool_};
};

TEST_F(Executors, AreCreatedByName) {
  EXPECT_THAT(executor_names(), ElementsAre("engine", "reference"));
  try {
    make_executor("gpu", model_, pool_);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    EXPECT_STREQ(error.what(), "unknown executor (got 'gpu', expected engine or reference)");
  }
}

// Size and batch change between calls, because an executor keeps only the network of the last call.
TEST_F(Executors, AgreeWithinTheTolerance) {
  const auto engine = make_executor("engine", model_, pool_);
  const auto reference = make_executor("reference", model_, pool_);
  for (const auto& [size, batch] :
       {std::pair{Size{kSide, kSide}, 1}, {Size{kSide, kSide}, 3}, {Size{31, 53}, 2}, {Size{kSide, kSide}, 1}}) {
    const std::vector<float> values = values_for(size, batch);
    const engine::testkit::Truth expected = truth(size, values, batch);
    const Input input{.size = size, .batch = batch, .values = values};
    EXPECT_LE(largest_difference(engine->logits(input), expected.values), expected.tolerance) << size.h;
    EXPECT_LE(largest_difference(reference->logits(input), expected.values), expected.tolerance) << size.h;
  }
}

// The input is difficult: two images of odd size, all 256 byte values in every channel, and means and standard
// deviations that float32 cannot represent exactly.
TEST_F(Executors, BytesGiveTheSameBitsAsNormalisedValues) {
  constexpr std::array kMean{0.485, 1.0 / 3, -0.1}, kStd{0.229, 0.3, 1.7};
  const vision::Image one = testkit::test_image(17, 31);
  vision::Image two = one;
  std::ranges::reverse(two.rgb);
  std::vector<std::uint8_t> rgb = one.rgb;
  rgb.insert(rgb.end(), two.rgb.begin(), two.rgb.end());
  for (std::size_t c = 0; c < 3; ++c) {
    std::array<bool, 256> seen{};
    for (std::size_t i = c; i < one.rgb.size(); i += 3) seen[one.rgb[i]] = true;
    ASSERT_EQ(std::ranges::count(seen, true), 256) << "the image does not contain every byte value";
  }
  std::vector<float> values = vision::normalise(one, kMean, kStd);
  const std::vector<float> more = vision::normalise(two, kMean, kStd);
  values.insert(values.end(), more.begin(), more.end());

  Input bytes{.size = {17, 31}, .batch = 2, .rgb = rgb};
  std::ranges::copy(kMean, bytes.normalisation.mean);
  std::ranges::copy(kStd, bytes.normalisation.std);
  for (const std::string& name : executor_names()) {
    const auto executor = make_executor(name, model_, pool_);
    EXPECT_EQ(executor->logits(bytes), executor->logits({.size = {17, 31}, .batch = 2, .values = values})) << name;
  }
}

TEST_F(Executors, ReturnTheFeatureMapOfTheHead) {
  const Size size{31, 53};
  const std::vector<float> values = values_for(size, 1);
  const Input input{.size = size, .values = values};
  const engine::testkit::Truth expected = truth(size, values, 1);
  const auto reference = make_executor("reference", model_, pool_);
  const Features right = reference->features(input);
  EXPECT_EQ(right.logits, reference->logits(input));
  const auto engine = make_executor("engine", model_, pool_);
  const Features features = engine->features(input);
  EXPECT_LE(largest_difference(features.logits, expected.values), expected.tolerance);
  EXPECT_EQ(features.shape, right.shape);
  EXPECT_EQ(features.shape.c, 50);
  // As in engine_testing.h, correct float32 code differs by at most 8 times the error of the float32 reference. That
  // error is not measured here. It is assumed to be 2^-22 of the largest value per layer, for 20 layers.
  EXPECT_LE(largest_difference(features.values, right.values),
            20 * 8 * 0x1p-22 * engine::testkit::largest_of(right.values));
  EXPECT_LE(largest_difference(engine->logits(input), expected.values), expected.tolerance)
      << "logits without features, again";
}

// A batch, and nodes that the engine would fuse into others: they are kept and in the order of the request.
TEST_F(Executors, ReturnTheOutputsOfNodes) {
  const Size size{31, 53};
  const std::vector<float> values = values_for(size, 3);
  const Input input{.size = size, .batch = 3, .values = values};
  const std::shared_ptr<const graph::Graph> graph = model_.graph(size);
  std::vector<graph::NodeId> nodes = graph->reductions;
  nodes.insert(nodes.begin(), embedding_node(*graph));
  const auto right = make_executor("reference", model_, pool_)->outputs(input, nodes);
  const auto engine = make_executor("engine", model_, pool_)->outputs(input, nodes);
  ASSERT_EQ(right.size(), nodes.size());
  ASSERT_EQ(engine.size(), nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(std::ssize(right[i]), 3 * graph->at(nodes[i]).out.numel());
    // The tolerance is that of ReturnTheFeatureMapOfTheHead.
    EXPECT_LE(largest_difference(engine[i], right[i]), 20 * 8 * 0x1p-22 * engine::testkit::largest_of(right[i])) << i;
  }
  EXPECT_EQ(graph->at(nodes[0]).out.c, 50);
}

TEST_F(Executors, TheEngineGivesTheSameBitsInEveryRun) {
  const std::vector<float> values = values_for({kSide, kSide}, 1);
  const auto engine = make_executor("engine", model_, pool_);
  const Input input{.size = {kSide, kSide}, .values = values};
  const std::vector<float> first = engine->logits(input);
  for (int run = 1; run < 20; ++run)
    ASSERT_EQ(engine->logits(input), first) << "run " << run;  // run 16 copies the weights to huge pages
}

}  // namespace
}  // namespace effnet::model
