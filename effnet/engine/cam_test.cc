#include "effnet/engine/cam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "effnet/base/error.h"
#include "effnet/base/philox.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/graph/builder.h"

namespace effnet::engine {
namespace {

using testing::ElementsAre;

TEST(Cam, KnownValues) {
  const std::vector<float> features{1, 2, 3, 4, /**/ 10, 20, 30, 40};
  EXPECT_THAT(class_activation_map(features, {2, 2, 2}, std::vector<float>{2, -0.5F}), ElementsAre(-3, -6, -9, -12));
  EXPECT_THROW(class_activation_map(features, {2, 2, 2}, std::vector<float>{2}), Error);
  EXPECT_THROW(class_activation_map(features, {2, 2, 3}, std::vector<float>{2, 1}), Error);
}

// The network is features -> global pool -> dropout -> classifier. The reference executor runs it.
TEST(Cam, MeanPlusBiasIsTheLogit) {
  constexpr std::int64_t kChannels = 37, kClasses = 5;
  const Chw shape{kChannels, 7, 9};
  graph::Builder builder("head", shape);
  graph::NodeId x = builder.graph().features = builder.add("act", graph::Activate{graph::Activation::relu}, {0});
  x = builder.add("pool", graph::GlobalPool{}, {x});
  x = builder.add("dropout", graph::Dropout{0.2}, {x});
  builder.graph().logits = builder.add("classifier", graph::Linear{kClasses}, {x});
  const graph::Graph graph = builder.graph();

  const auto random = [](const char* name, std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    Philox(1, stream_of(name)).fill_normal(values, 0, 1.0F);
    return values;
  };
  tensor::Weights weights;
  weights.tensors["classifier.weight"] = tensor::make_tensor({kClasses, kChannels}, random("w", kClasses * kChannels));
  weights.tensors["classifier.bias"] = tensor::make_tensor({kClasses}, random("b", kClasses));
  const Parameters parameters(weights);
  ThreadPool pool(1);
  const auto [logits, taps] = Reference(graph, parameters, pool).run(random("x", shape.numel()), 1, {"act"});

  const CamHead head = cam_head(graph);
  EXPECT_EQ(head.features->name, "act");
  EXPECT_EQ(head.classifier->name, "classifier");
  const std::vector<float>& features = taps.at("act");
  for (std::int64_t c = 0; c < kClasses; ++c) {
    const auto row = parameters.find("classifier.weight")->subspan(static_cast<std::size_t>(c * kChannels), kChannels);
    const float bias = (*parameters.find("classifier.bias"))[static_cast<std::size_t>(c)];
    const std::vector<float> map = class_activation_map(features, shape, row);
    double mean = 0, size = std::abs(bias);
    for (const float value : map) mean += value / static_cast<double>(map.size());
    for (std::size_t k = 0; k < row.size(); ++k) {
      for (std::int64_t p = 0; p < shape.pixels(); ++p) {
        size += std::abs(row[k]) *
                features[k * static_cast<std::size_t>(shape.pixels()) + static_cast<std::size_t>(p)] /
                static_cast<double>(shape.pixels());
      }
    }
    // The number of roundings that affect a term. Global pool, 13: the 63 pixels are added in 8 interleaved sums, so
    // there are 8 additions, at most 4 to combine the sums, and 1 division. Classifier, 37 + 2: 37 additions of
    // channels, 1 product, and the addition of the bias. Map: 1. Each rounding error is at most 2^-24 of `size`, the
    // sum of the absolute values of all terms.
    EXPECT_NEAR(mean + bias, logits[static_cast<std::size_t>(c)], (13 + 37 + 2 + 1) * 0x1p-24 * size);
  }
}

TEST(Cam, HeadsWithoutPoolAndClassifierAreRefused) {
  graph::Builder no_pool("no_pool", {3, 1, 1});
  no_pool.graph().logits = no_pool.add("classifier", graph::Linear{2}, {0});
  graph::Builder no_classifier("no_classifier", {3, 4, 4});
  no_classifier.graph().logits = no_classifier.add("pool", graph::GlobalPool{}, {0});
  for (const graph::Graph& graph : {no_pool.graph(), no_classifier.graph()}) {
    try {
      cam_head(graph);
      FAIL() << graph.name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
    }
  }
}

}  // namespace
}  // namespace effnet::engine
