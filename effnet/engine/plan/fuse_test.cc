// Tests the fused ops of known networks: their number by kind, with all fusions on and with each fusion off.
#include "effnet/engine/plan/fuse.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/lower.h"

namespace effnet::engine {
namespace {

using graph::Activation;
using Kind = FusedOp::Kind;

class FuseTest : public testing::Test {
 protected:
  void lower(const char* name) { graph_ = graph::lower(arch::variant(name).spec); }
  void fuse(const PlanOptions& options = {}, const std::vector<NodeId>& keep = {}) {
    ops_ = engine::fuse(graph_, options, keep);
  }
  std::int64_t count(Kind kind) const {
    return std::count_if(ops_.begin(), ops_.end(), [&](const FusedOp& op) { return op.kind == kind; });
  }
  template <class Test>
  std::int64_t count(Kind kind, Test test) const {
    return std::count_if(ops_.begin(), ops_.end(), [&](const FusedOp& op) { return op.kind == kind && test(op); });
  }
  NodeId id(std::string_view name) const {
    const graph::Node* const node = graph_.find(name);
    EXPECT_NE(node, nullptr) << name;
    return node == nullptr ? 0 : static_cast<NodeId>(node - graph_.nodes.data());
  }
  const FusedOp* op_of(std::string_view out) const {
    const NodeId node = id(out);
    const auto found = std::find_if(ops_.begin(), ops_.end(), [&](const FusedOp& op) { return op.out == node; });
    return found == ops_.end() ? nullptr : &*found;
  }

  // Checks what must hold for any options: every op reads only outputs of earlier ops, and the logits are computed.
  void expect_runs() const {
    std::vector<bool> made(graph_.nodes.size(), false);
    made[0] = true;
    for (const FusedOp& op : ops_) {
      std::vector<NodeId> reads = op.inputs;
      for (const NodeId more : {op.addend, op.scale}) {
        if (more != kNone) reads.push_back(more);
      }
      // The sums that a global pool reads have no node id and are not checked here.
      for (const NodeId in : reads) EXPECT_TRUE(made[static_cast<std::size_t>(in)]) << graph_.at(op.out).name;
      EXPECT_FALSE(made[static_cast<std::size_t>(op.out)]) << graph_.at(op.out).name << " is computed twice";
      made[static_cast<std::size_t>(op.out)] = true;
    }
    EXPECT_TRUE(made[static_cast<std::size_t>(graph_.logits)]);
  }

  graph::Graph graph_;
  std::vector<FusedOp> ops_;
};

bool has_producer(const FusedOp& op) { return op.producer != kNone; }
bool has_pool(const FusedOp& op) { return op.pooled != kNone; }
bool has_scale(const FusedOp& op) { return op.scale != kNone; }
bool has_addend(const FusedOp& op) { return op.addend != kNone; }
bool is_sigmoid(const FusedOp& op) { return op.activation == Activation::sigmoid; }

// B0 has 16 blocks, 9 of them with a residual. The first block has no expansion; there the stem computes the input rows
// of the depthwise convolution.
TEST_F(FuseTest, EfficientNetB0) {
  lower("efficientnet_b0");
  fuse();
  expect_runs();
  EXPECT_EQ(count(Kind::depthwise), 16);
  EXPECT_EQ(count(Kind::depthwise, has_producer), 16);
  EXPECT_EQ(count(Kind::depthwise, has_pool), 16);
  EXPECT_EQ(count(Kind::depthwise,
                  [](const FusedOp& op) {
                    return op.activation == Activation::silu && op.producer_activation == Activation::silu;
                  }),
            16);
  // Each of the 16 blocks has 3 GEMMs: two convolutions of the SE and the projection. The head and the classifier are 2
  // more.
  EXPECT_EQ(count(Kind::gemm), 3 * 16 + 2);
  EXPECT_EQ(count(Kind::gemm, has_scale), 16);
  EXPECT_EQ(count(Kind::gemm, has_addend), 9);
  EXPECT_EQ(count(Kind::global_pool), 17);
  EXPECT_EQ(count(Kind::global_pool, has_pool), 16);
  EXPECT_EQ(count(Kind::map), 16);
  EXPECT_EQ(count(Kind::map, is_sigmoid), 16);
  EXPECT_EQ(ops_.size(), 16U + 50U + 17U + 16U);
  EXPECT_EQ(ops_.front().producer, id("stem.conv"));
}

TEST_F(FuseTest, EfficientNetB0WithEachFusionOff) {
  lower("efficientnet_b0");
  fuse({.fuse_epilogues = false});
  expect_runs();
  // 49 SiLU (1 of the stem, 15 of expansions, 16 of depthwise convolutions, 16 of the SE, 1 of the head), 9 additions
  // and 16 sigmoids. An activation that is a separate op is between the expansion and the depthwise convolution, and
  // between the depthwise convolution and the pool. So these fusions do not happen either.
  EXPECT_EQ(count(Kind::map), 49 + 9 + 16);
  EXPECT_EQ(count(Kind::depthwise, has_producer), 0);
  EXPECT_EQ(count(Kind::depthwise, has_pool), 0);
  EXPECT_EQ(count(Kind::gemm, has_addend), 0);
  EXPECT_EQ(count(Kind::gemm, has_scale), 16);

  fuse({.fuse_depthwise = false});
  expect_runs();
  EXPECT_EQ(count(Kind::depthwise, has_producer), 0);
  EXPECT_EQ(count(Kind::depthwise, has_pool), 16);
  EXPECT_EQ(count(Kind::gemm), 3 * 16 + 2 + 16);

  fuse({.fuse_scale = false});
  expect_runs();
  EXPECT_EQ(count(Kind::gemm, has_scale), 0);
  EXPECT_EQ(count(Kind::map, has_scale), 16);
  EXPECT_EQ(count(Kind::gemm, has_addend), 9);

  fuse({.fuse_pool = false});
  expect_runs();
  EXPECT_EQ(count(Kind::depthwise, has_pool), 0);
  EXPECT_EQ(count(Kind::global_pool, has_pool), 0);
  EXPECT_EQ(count(Kind::global_pool), 17);
}

// Convolutions and additions include their activations, so no map step is left.
TEST_F(FuseTest, ResNet50) {
  lower("resnet50");
  fuse();
  expect_runs();
  EXPECT_EQ(count(Kind::gemm), 54 - 13);
  EXPECT_EQ(count(Kind::winograd), 13);  // one per block, except the three with stride 2
  EXPECT_EQ(count(Kind::gemm, has_addend), 16);
  EXPECT_EQ(count(Kind::gemm, [](const FusedOp& op) { return has_addend(op) && op.activation == Activation::relu; }),
            16);
  // Where the shape changes, the addition is fused into the convolution of the shortcut, which runs last.
  EXPECT_EQ(count(Kind::gemm,
                  [&](const FusedOp& op) {
                    return has_addend(op) && graph_.at(op.layer).name.find("downsample") != std::string::npos;
                  }),
            4);
  EXPECT_EQ(count(Kind::pool), 1);
  EXPECT_EQ(count(Kind::global_pool), 1);
  EXPECT_EQ(count(Kind::map), 0);
  EXPECT_EQ(ops_.size(), 56U);

  fuse({.fuse_epilogues = false});
  expect_runs();
  EXPECT_EQ(count(Kind::map), 49 + 16);  // 49 ReLU (1 of the stem, 3 per block) and 16 additions
}

// EfficientNet-Lite has no SE, so it has no pooled sums, sigmoids or scales. In MobileNetV1 each pointwise convolution
// is fused with the depthwise convolution after it.
TEST_F(FuseTest, NetworksWithoutSqueezeAndExcitation) {
  lower("efficientnet_lite0");
  fuse();
  expect_runs();
  EXPECT_EQ(count(Kind::map), 0);
  EXPECT_EQ(count(Kind::depthwise, has_producer), 16);
  EXPECT_EQ(count(Kind::depthwise, has_pool), 0);
  lower("mobilenet_v1");
  fuse();
  expect_runs();
  EXPECT_EQ(count(Kind::depthwise), 13);
  EXPECT_EQ(count(Kind::depthwise, has_producer), 13);
  EXPECT_EQ(count(Kind::gemm), 2);  // the last pointwise convolution and the classifier
  EXPECT_EQ(ops_.size(), 16U);
}

// AmoebaNet cells apply the same activation once per reader of a tensor; one op serves all readers.
TEST_F(FuseTest, AmoebaNetComputesEachActivationOnce) {
  lower("amoebanet_b");
  fuse();
  expect_runs();
  const auto activated = [](const FusedOp& op) { return op.activation == Activation::relu; };
  std::vector<NodeId> sources;
  for (const FusedOp& op : ops_) {
    if (op.kind == Kind::map && activated(op) && op.layer != kNone && !has_addend(op)) {
      sources.push_back(op.inputs[0]);
    }
  }
  std::sort(sources.begin(), sources.end());
  EXPECT_EQ(std::adjacent_find(sources.begin(), sources.end()), sources.end());
  // The ops contain fewer activations than the graph, and all concatenations.
  const auto in_graph = std::count_if(graph_.nodes.begin(), graph_.nodes.end(), [](const graph::Node& node) {
    return std::holds_alternative<graph::Activate>(node.op);
  });
  const auto in_ops = std::count_if(ops_.begin(), ops_.end(), [&](const FusedOp& op) {
    return activated(op) || op.producer_activation == Activation::relu;
  });
  EXPECT_LT(in_ops, in_graph);
  const auto concats = std::count_if(graph_.nodes.begin(), graph_.nodes.end(), [](const graph::Node& node) {
    return std::holds_alternative<graph::Concat>(node.op);
  });
  EXPECT_EQ(count(Kind::concat), concats);
  EXPECT_GT(count(Kind::pad), 0);
}

// Kept nodes are computed. Only the fusions that would remove a kept node do not happen.
TEST_F(FuseTest, KeptNodesAreNotFusedAway) {
  lower("efficientnet_b0");
  const std::vector<NodeId> keep{id("stages.1.0.expand.act"), id("stages.2.0.depthwise.bn"), id("stages.3.0.se.scale"),
                                 id("stages.1.1.project.bn")};
  fuse({}, keep);
  expect_runs();
  for (const NodeId node : keep) EXPECT_NE(op_of(graph_.at(node).name), nullptr) << graph_.at(node).name;
  EXPECT_EQ(count(Kind::depthwise, has_producer), 15);
  EXPECT_EQ(count(Kind::depthwise, has_pool), 15);  // one activation is separate
  EXPECT_EQ(count(Kind::gemm, has_scale), 15);
  EXPECT_EQ(count(Kind::gemm, has_addend), 8);
  fuse({}, graph_.reductions);
  EXPECT_EQ(ops_.size(), 99U);
}

TEST_F(FuseTest, GroupedConvolutionsAreRefused) {
  graph::Builder builder("grouped", {8, 4, 4});
  builder.graph().logits = builder.add("conv", graph::Conv{.out_channels = 8, .groups = 2}, {0});
  graph_ = builder.graph();
  EXPECT_THROW(fuse(), Error);
}

}  // namespace
}  // namespace effnet::engine
