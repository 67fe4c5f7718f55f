#include "effnet/engine/random_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/synthetic_images.h"
#include "effnet/graph/lower.h"

namespace effnet::engine {
namespace {

struct Moments {
  double mean = 0, deviation = 0;
  bool finite = true;
};
Moments moments_of(std::span<const float> values) {
  Moments moments;
  const auto n = static_cast<double>(values.size());
  for (const float value : values) {
    moments.mean += value / n;
    moments.finite = moments.finite && std::isfinite(value);
  }
  for (const float value : values) moments.deviation += (value - moments.mean) * (value - moments.mean) / n;
  moments.deviation = std::sqrt(moments.deviation);
  return moments;
}

// A small network for fast tests: the first three stages of B0.
arch::ArchSpec small_spec() {
  arch::ArchSpec spec = arch::variant("efficientnet_b0").spec;
  spec.name = "small";
  spec.resolution = 64;
  spec.stages.resize(3);
  spec.head.channels = 64;
  return spec;
}

bool same_bytes(const tensor::Weights& a, const tensor::Weights& b) {
  return std::equal(
      a.tensors.begin(), a.tensors.end(), b.tensors.begin(), b.tensors.end(), [](const auto& x, const auto& y) {
        return x.first == y.first && x.second.dims == y.second.dims && x.second.bytes.size() == y.second.bytes.size() &&
               std::memcmp(x.second.bytes.data(), y.second.bytes.data(), x.second.bytes.size()) == 0;
      });
}

TEST(RandomWeights, FollowTheOfficialInitialisation) {
  ThreadPool pool(2);
  const arch::ArchSpec spec = small_spec();
  const tensor::Weights weights = random_weights(spec, 100, 3, pool);
  const graph::Graph graph = graph::lower(spec, {.classes = 100});
  const Parameters parameters(weights);
  parameters.check(graph);
  EXPECT_EQ(weights.tensors.size(), graph::parameters(graph).size());

  for (const graph::Node& node : graph.nodes) {
    for (const graph::Parameter& parameter : graph::parameters(graph, node)) {
      SCOPED_TRACE(parameter.name);
      const std::span<const float> values = parameters.at(parameter);
      const Moments moments = moments_of(values);
      ASSERT_TRUE(moments.finite);
      const auto root = std::sqrt(static_cast<double>(values.size()));
      if (const auto* conv = std::get_if<graph::Conv>(&node.op); conv != nullptr && parameter.dims.size() == 4) {
        const double std =
            std::sqrt(2.0 / static_cast<double>(conv->kernel * conv->kernel * conv->out_channels / conv->groups));
        EXPECT_LT(std::abs(moments.mean), 5 * std / root);  // 5 standard errors
        EXPECT_NEAR(moments.deviation, std, 5 * std / (std::sqrt(2.0) * root) + std / root);
      } else if (parameter.name == "classifier.weight") {
        for (const float value : values) EXPECT_LE(std::abs(value), 0.1F);  // 1 / sqrt(100)
        EXPECT_NEAR(moments.deviation, 0.1 / std::sqrt(3.0), 0.1 / root);
      } else if (!parameter.statistic()) {
        const bool ones = std::holds_alternative<graph::BatchNorm>(node.op) && parameter.name.ends_with("weight");
        for (const float value : values) EXPECT_EQ(value, ones ? 1.0F : 0.0F);
      } else if (parameter.name.ends_with("running_var")) {
        for (const float value : values) EXPECT_GT(value, 0.0F);
      }
    }
  }
}

// Over the calibration images, the output of every batch norm must have mean 0 and variance var / (var + epsilon),
// where var is its running variance.
TEST(RandomWeights, StatisticsAreThoseOfTheCalibrationBatch) {
  constexpr std::int64_t kBatch = 8;
  ThreadPool pool(2);
  const arch::ArchSpec spec = small_spec();
  const tensor::Weights weights = random_weights(spec, 10, 3, pool);
  const graph::Graph graph = graph::lower(spec, {.classes = 10});
  const Parameters parameters(weights);
  int norms = 0;
  Reference(graph, parameters, pool)
      .run(synthetic_images(graph.input(), kBatch, 3, pool), kBatch,
           [&](const graph::Node& node, std::span<const float> values) {
             const auto* norm = std::get_if<graph::BatchNorm>(&node.op);
             if (norm == nullptr) return;
             ++norms;
             const std::span<const float> variance = *parameters.find(node.name + ".running_var");
             for (std::int64_t c = 0; c < node.out.c; ++c) {
               std::vector<float> channel;
               for (std::int64_t image = 0; image < kBatch; ++image) {
                 const auto plane =
                     values.subspan(static_cast<std::size_t>((image * node.out.c + c) * node.out.pixels()),
                                    static_cast<std::size_t>(node.out.pixels()));
                 channel.insert(channel.end(), plane.begin(), plane.end());
               }
               const Moments moments = moments_of(channel);
               const double var = variance[static_cast<std::size_t>(c)];
               // The stored mean, the stored variance and each output value are rounded to float, each with a relative
               // error of at most 2^-24. A mean is at most about 10 standard deviations.
               ASSERT_NEAR(moments.mean, 0, 1e-5) << node.name;
               ASSERT_NEAR(moments.deviation, std::sqrt(var / (var + norm->epsilon)), 1e-5) << node.name;
             }
           });
  EXPECT_GT(norms, 10);
}

TEST(RandomWeights, DependOnTheSeedButNotOnThreads) {
  ThreadPool one(1), three(3);
  const arch::ArchSpec spec = small_spec();
  const tensor::Weights weights = random_weights(spec, 10, 5, one);
  EXPECT_TRUE(same_bytes(weights, random_weights(spec, 10, 5, three)));
  EXPECT_FALSE(same_bytes(weights, random_weights(spec, 10, 6, one)));
}

// The values of a tensor depend on its name. So a deeper network has the same values in the blocks that are in both
// networks.
TEST(RandomWeights, ValuesDependOnTheName) {
  ThreadPool pool(2);
  arch::ArchSpec deeper = small_spec();
  deeper.stages[1].repeats += 2;
  const tensor::Weights a = random_weights(small_spec(), 10, 1, pool);
  const tensor::Weights b = random_weights(deeper, 10, 1, pool);
  for (const char* name :
       {"stem.conv.weight", "stages.1.1.depthwise.conv.weight", "head.conv.weight", "classifier.weight"}) {
    EXPECT_TRUE(std::equal(a.at(name).bytes.begin(), a.at(name).bytes.end(), b.at(name).bytes.begin())) << name;
  }
}

// Activations keep unit scale: the logits of images other than those of the calibration have a standard deviation of
// 0.05 to 10, at the nominal resolution and at 96 pixels. The lower bound follows from the head: a feature is about 0.2
// (the mean of SiLU of a standard normal value), there are 1280 features, and the classifier's weights have a standard
// deviation of 1 / sqrt(3 * 1000). So a logit's standard deviation is about sqrt(1280) * 0.2 / sqrt(3 * 1000) = 0.13.
class NamedModel : public testing::TestWithParam<const char*> {};

TEST_P(NamedModel, HasLogitsOfUnitScale) {
  ThreadPool pool(2);
  const arch::ArchSpec& spec = arch::variant(GetParam()).spec;
  const Parameters parameters(random_weights(spec, spec.classes, 0, pool));
  for (const std::int64_t side : {std::int64_t{96}, spec.resolution}) {
    const graph::Graph graph = graph::lower(spec, {.resolution = Size{side, side}});
    const std::vector<float> logits =
        Reference(graph, parameters, pool).run(synthetic_images(graph.input(), 2, 99, pool), 2);
    for (const std::size_t image : {0, 1}) {
      const auto count = static_cast<std::size_t>(graph.classes());
      const Moments moments = moments_of(std::span(logits).subspan(image * count, count));
      EXPECT_TRUE(moments.finite);
      EXPECT_GT(moments.deviation, 0.05) << side;
      EXPECT_LT(moments.deviation, 10) << side;
    }
  }
}

// The networks whose calibration takes less than 15 GMAC. The others (B3 to L2, Lite3, Lite4, ResNet-50 to -152 and
// AmoebaNet-B) were checked by hand.
INSTANTIATE_TEST_SUITE_P(Small, NamedModel,
                         testing::Values("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_lite0",
                                         "efficientnet_lite1", "efficientnet_lite2", "mobilenet_v1", "mobilenet_v2",
                                         "mnasnet_a1", "mnasnet_b1", "resnet18"),
                         [](const auto& row) { return std::string(row.param); });

TEST(SyntheticImages, HaveUnitScaleAndAreReproducible) {
  ThreadPool one(1), two(2);
  const Chw shape{3, 47, 31};
  const std::vector<float> images = synthetic_images(shape, 4, 7, one);
  EXPECT_EQ(images, synthetic_images(shape, 4, 7, two));
  EXPECT_NE(images, synthetic_images(shape, 4, 8, two));
  const std::vector<float> fewer = synthetic_images(shape, 2, 7, one);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), images.begin()));
  // Image 0 is white noise. Its standard deviation is 1 within 5 standard errors.
  const auto one_image = static_cast<std::size_t>(shape.numel());
  const Moments white = moments_of(std::span(images).first(one_image));
  EXPECT_NEAR(white.deviation, 1.0, 5 / std::sqrt(2.0 * static_cast<double>(one_image)));
  // Image 1 is a sum of octaves, in which neighbours in a row share most patches (correlation about 0.75 at this
  // width). White noise has no correlation.
  const auto neighbours = [&](std::size_t image) {
    double product = 0, square = 0;
    for (std::size_t i = image * one_image; i + 1 < (image + 1) * one_image; ++i) {
      product += double{images[i]} * images[i + 1];
      square += double{images[i]} * images[i];
    }
    return product / square;
  };
  EXPECT_LT(std::abs(neighbours(0)), 0.1);
  EXPECT_GT(neighbours(1), 0.4);
}

TEST(RandomWeights, AnUnknownBlockIsAnError) {
  ThreadPool pool(1);
  arch::ArchSpec spec = small_spec();
  spec.stages[0].block = "nonsense";
  EXPECT_THROW(random_weights(spec, 10, 0, pool), Error);
}

}  // namespace
}  // namespace effnet::engine
