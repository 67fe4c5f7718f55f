#include "effnet/engine/quick_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "effnet/arch/family.h"
#include "effnet/engine/parameters.h"
#include "effnet/engine/reference.h"
#include "effnet/engine/synthetic_images.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::engine {
namespace {

TEST(QuickWeights, FitTheNetworkAndShareFewRows) {
  for (const char* name : {"efficientnet_b0", "efficientnet_lite4", "mobilenet_v1", "resnet152", "amoebanet_b"}) {
    SCOPED_TRACE(name);
    const graph::Graph graph = graph::lower(arch::variant(name).spec);
    const tensor::Weights weights = quick_weights(graph);
    EXPECT_NO_THROW(Parameters(weights).check(graph));
    std::set<const std::byte*> rows;
    std::size_t largest = 0;
    for (const auto& [tensor_name, tensor] : weights.tensors) {
      rows.insert(tensor.bytes.data());
      largest = std::max(largest, tensor.bytes.size());
    }
    EXPECT_LT(rows.size(), 40U);  // rows are shared: one of hashed values, one of zeros, one of ones, one per fan-in
    EXPECT_LT(largest, static_cast<std::size_t>(graph::costs(graph).weights_bytes()));
  }
}

TEST(QuickWeights, LogitsAreFiniteAndNotZero) {
  ThreadPool pool(2);
  for (const char* name : {"efficientnet_b0", "efficientnet_b7", "resnet152", "mobilenet_v2"}) {
    SCOPED_TRACE(name);
    const graph::Graph graph = graph::lower(arch::variant(name).spec, {.resolution = Size{64, 64}});
    const Parameters parameters(quick_weights(graph));
    const std::vector<float> input = synthetic_images(graph.input(), 1, 0, pool);
    const std::vector<float> logits = Reference(graph, parameters, pool).run(input, 1);
    EXPECT_TRUE(std::all_of(logits.begin(), logits.end(), [](float value) { return std::isfinite(value); }));
    EXPECT_THAT(logits, testing::Contains(testing::Ne(0.0F)));
  }
}

}  // namespace
}  // namespace effnet::engine
