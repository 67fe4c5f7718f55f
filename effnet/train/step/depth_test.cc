#include "effnet/train/step/depth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/lower.h"
#include "effnet/train/step/testing.h"

namespace effnet::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Depth, BlocksAreInTheOrderOfTheGraph) {
  EXPECT_THAT(Depth(tiny_graph()).blocks(),
              ElementsAre("stem", "stages.0.0", "stages.1.0", "stages.1.1", "head", "classifier"));
}

TEST(Depth, BlockOfANodeOrParameter) {
  EXPECT_EQ(block_of("stem.conv.weight"), "stem");
  EXPECT_EQ(block_of("stages.2.1.expand.conv.weight"), "stages.2.1");
  EXPECT_EQ(block_of("stages.2.1"), "stages.2.1");
  EXPECT_EQ(block_of("classifier.weight"), "classifier");
  EXPECT_EQ(block_of("a.1.b.c"), "a");
  EXPECT_EQ(block_of("a.1"), "a");
  EXPECT_EQ(block_of(""), "");
}

// Every node of every named network is in a block, and no block ends within another one, so that a frozen block has no
// node after a trained one.
TEST(Depth, BlocksOfAllNamedNetworksAreConsecutive) {
  for (const arch::Variant& variant : arch::family()) {
    SCOPED_TRACE(variant.name);
    const graph::Graph graph = graph::lower(variant.spec);
    const Depth depth(graph);
    std::size_t before = 0;
    for (std::size_t id = 1; id < graph.nodes.size(); ++id) {
      const std::size_t index = depth.index_of(graph.nodes[id].name);
      ASSERT_GE(index, before) << graph.nodes[id].name;
      before = index;
    }
    EXPECT_EQ(depth.blocks().back(), "classifier");
    for (const graph::Parameter& parameter : graph::parameters(graph)) depth.index_of(parameter.name);
  }
}

TEST(Depth, CountsTheBlocksUpToAName) {
  const graph::Graph graph = tiny_graph();
  const Depth depth(graph);
  EXPECT_EQ(depth.count_up_to(""), 0U);
  EXPECT_EQ(depth.count_up_to("stem"), 1U);
  EXPECT_EQ(depth.count_up_to("stages.1.0"), 3U);
  EXPECT_EQ(depth.count_up_to("stages.1"), 4U);
  EXPECT_EQ(depth.count_up_to("stages"), 4U);
  EXPECT_EQ(depth.count_up_to("head"), 5U);
  EXPECT_EQ(depth.node_after(0), 0);
  const graph::NodeId node = depth.node_after(4);
  EXPECT_TRUE(graph.at(node).name.starts_with("head.")) << graph.at(node).name;
  EXPECT_TRUE(graph.at(node - 1).name.starts_with("stages.1.1.")) << graph.at(node - 1).name;
}

TEST(Depth, DropoutAtTheEndOfAFrozenHeadIsNotFrozen) {
  const graph::Graph with = tiny_graph(0.2), without = tiny_graph(0);
  EXPECT_EQ(with.at(Depth(with).node_after(5)).name, "head.dropout");
  EXPECT_EQ(without.at(Depth(without).node_after(5)).name, "classifier");
}

TEST(Depth, RefusesNamesThatAreNoBlock) {
  const Depth depth(tiny_graph());
  for (const char* name : {"stage", "stages.1.7", "stages.10", "stages.1.0.expand", "classifier", "x"}) {
    try {
      depth.count_up_to(name);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_THAT(error.what(), HasSubstr("expected one of stem, stages.0.0"));
    }
  }
  EXPECT_THROW(depth.index_of("other.weight"), Error);
}

}  // namespace
}  // namespace effnet::train
