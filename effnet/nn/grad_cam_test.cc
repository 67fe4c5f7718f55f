#include "effnet/nn/grad_cam.h"

#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/engine/cam.h"
#include "effnet/engine/engine_testing.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/lower.h"
#include "effnet/nn/nn_testing.h"

namespace effnet::nn {
namespace {

std::vector<float> image_of(const graph::Graph& graph) {
  const torch::Tensor values = testkit::images(graph, 1);
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

double largest(const std::vector<float>& values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

// For the input of the global pool, the map must be the class activation map of engine/cam.h over h w, without negative
// values. The reference executor computes the features.
TEST(GradCam, OfTheLastFeaturesIsTheClassActivationMap) {
  const graph::Graph graph = graph::lower(engine::testkit::mbconv_network(), {.resolution = Size{96, 64}});
  const tensor::Weights weights = engine::testkit::nontrivial_weights(graph);
  const std::vector<float> image = image_of(graph);
  const engine::CamHead head = engine::cam_head(graph);
  ThreadPool pool(1);
  const engine::Parameters parameters(weights);
  const auto [logits, taps] = engine::Reference(graph, parameters, pool).run(image, 1, {head.features->name});
  const std::vector<float>& features = taps.at(head.features->name);
  const Chw shape = head.features->out;
  ASSERT_GT(shape.pixels(), 1);
  for (const std::size_t shown : {std::size_t{0}, std::size_t{3}}) {
    const auto width = static_cast<std::size_t>(shape.c);
    const auto row = parameters.find(head.classifier->name + ".weight")->subspan(shown * width, width);
    const std::vector<float> expected = engine::class_activation_map(features, shape, row);
    const GradCam got = grad_cam(graph, weights, image, head.features->name, shown);
    EXPECT_EQ(got.class_index, shown);
    EXPECT_EQ(got.size, (Size{shape.h, shape.w}));
    ASSERT_EQ(got.map.size(), expected.size());
    const double scale = largest(expected) / static_cast<double>(shape.pixels());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(got.map[i], std::max(0.0F, expected[i]) / static_cast<float>(shape.pixels()), 1e-3 * scale) << i;
    ASSERT_EQ(got.logits.size(), logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(got.logits[i], logits[i], 1e-3 * largest(logits));
  }
  EXPECT_EQ(grad_cam_layer(graph, "").out, shape);
  const GradCam best = grad_cam(graph, weights, image, "", {});
  EXPECT_EQ(best.logits[best.class_index], *std::max_element(best.logits.begin(), best.logits.end()));
}

// A network of known numbers: x -> relu -> global pool -> linear with weights (1, -2) and (3, 0.5) on two channels of
// 1 x 2 pixels. dy_c / dA_k = W[c, k] / 2 at every pixel.
TEST(GradCam, KnownValues) {
  graph::Builder builder("known", {2, 1, 2});
  graph::NodeId x = builder.graph().features = builder.add("act", graph::Activate{graph::Activation::relu}, {0});
  x = builder.add("pool", graph::GlobalPool{}, {x});
  builder.graph().logits = builder.add("classifier", graph::Linear{2}, {x});
  tensor::Weights weights;
  weights.tensors["classifier.weight"] = tensor::make_tensor({2, 2}, {1, -2, 3, 0.5F});
  weights.tensors["classifier.bias"] = tensor::make_tensor({2}, {0, 10});
  const std::vector<float> image{4, -8, 1, 6};
  const GradCam first = grad_cam(builder.graph(), weights, image, "act", std::size_t{0});
  EXPECT_EQ(first.map, (std::vector<float>{1, 0}));  // 0.5 * 4 - 1 * 1; 0.5 * 0 - 1 * 6 is negative
  const GradCam second = grad_cam(builder.graph(), weights, image, "act", {});
  EXPECT_EQ(second.class_index, 1U);
  EXPECT_EQ(second.map, (std::vector<float>{6.25F, 1.5F}));  // 1.5 * 4 + 0.25 * 1; 1.5 * 0 + 0.25 * 6
}

// Every layer of a network without a global-pool head's shape works; an inner layer gives a map of its own size.
TEST(GradCam, InnerLayersHaveMapsOfTheirSize) {
  const graph::Graph graph = graph::lower(engine::testkit::mbconv_network(), {.resolution = Size{40, 40}});
  const tensor::Weights weights = engine::testkit::nontrivial_weights(graph);
  const std::vector<float> image = image_of(graph);
  for (const graph::NodeId id : graph.reductions) {
    const graph::Node& node = graph.at(id);
    if (node.out.pixels() < 2) continue;
    const GradCam got = grad_cam(graph, weights, image, node.name, {});
    EXPECT_EQ(static_cast<std::int64_t>(got.map.size()), node.out.pixels());
    for (const float value : got.map) EXPECT_TRUE(value >= 0 && std::isfinite(value));
  }
}

TEST(GradCam, RefusesWrongLayersAndClasses) {
  const graph::Graph graph = graph::lower(engine::testkit::mbconv_network(), {.resolution = Size{40, 40}});
  const tensor::Weights weights = engine::testkit::nontrivial_weights(graph);
  const std::vector<float> image = image_of(graph);
  EXPECT_THROW(grad_cam(graph, weights, image, "no.such.layer", {}), Error);
  EXPECT_THROW(grad_cam(graph, weights, image, graph.at(graph.logits).name, {}), Error);
  EXPECT_THROW(grad_cam(graph, weights, image, "", std::size_t{1} << 20), Error);
}

}  // namespace
}  // namespace effnet::nn
