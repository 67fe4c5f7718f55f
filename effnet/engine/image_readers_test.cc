// Tests graphs in which the network's input is read by several convolutions with different paddings, or by nodes that
// are not convolutions. No architecture file produces such graphs, but other programs may.
#include <gtest/gtest.h>

#include <functional>

#include "effnet/engine/engine_testing.h"
#include "effnet/graph/builder.h"

namespace effnet::engine {
namespace {

using graph::Builder;
using graph::Conv;
using graph::NodeId;
using graph::Padding;
using testkit::largest_difference;

struct Case {
  const char* name;
  std::function<NodeId(Builder&)> body;  // node 0 is the input
  std::int64_t channels = 3;
  friend std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }
};

NodeId conv(Builder& b, const char* name, NodeId in, std::int64_t kernel, std::int64_t stride, Padding padding,
            std::int64_t out_channels = 20) {
  return b.add(name, Conv{.out_channels = out_channels, .kernel = kernel, .stride = stride, .padding = padding}, {in});
}

NodeId depthwise(Builder& b, const char* name, NodeId in, std::int64_t kernel, std::int64_t stride, Padding padding) {
  const std::int64_t channels = b.shape(in).c;
  return b.add(
      name, Conv{.out_channels = channels, .kernel = kernel, .stride = stride, .groups = channels, .padding = padding},
      {in});
}

// Concatenates the means of several branches, because the branches may have different sizes.
NodeId side_by_side(Builder& b, const std::vector<NodeId>& branches) {
  std::vector<NodeId> means;
  for (const NodeId branch : branches)
    means.push_back(b.add("mean" + std::to_string(branch), graph::GlobalPool{}, {branch}));
  return b.add("concat", graph::Concat{}, means);
}

std::vector<Case> cases() {
  return {
      {"same_then_symmetric",
       [](Builder& b) {
         return side_by_side(b, {conv(b, "a", 0, 3, 2, Padding::same), conv(b, "b", 0, 3, 2, Padding::symmetric)});
       }},
      {"small_then_large",
       [](Builder& b) {
         return side_by_side(b, {conv(b, "a", 0, 1, 1, Padding::same), conv(b, "b", 0, 7, 2, Padding::symmetric)});
       }},
      {"large_then_none",
       [](Builder& b) {
         return side_by_side(b, {conv(b, "a", 0, 11, 4, Padding::same), conv(b, "b", 0, 5, 1, Padding::valid),
                                 conv(b, "c", 0, 2, 2, Padding::same)});
       }},
      {"sum_of_two",
       [](Builder& b) {
         return b.add("sum", graph::Add{},
                      {conv(b, "a", 0, 3, 1, Padding::same), conv(b, "b", 0, 5, 1, Padding::symmetric)});
       }},
      {"two_rings",  // each convolution is fused into its depthwise convolution
       [](Builder& b) {
         return side_by_side(b, {depthwise(b, "a.dw", conv(b, "a", 0, 3, 2, Padding::symmetric), 3, 1, Padding::same),
                                 depthwise(b, "b.dw", conv(b, "b", 0, 3, 2, Padding::same), 5, 2, Padding::same)});
       }},
      {"max_pool",
       [](Builder& b) {
         const NodeId pool = b.add("pool", graph::Pool{.kernel = 3, .stride = 2, .padding = Padding::symmetric}, {0});
         return conv(b, "a", pool, 3, 1, Padding::same);
       }},
      {"average_pool_beside_a_convolution",
       [](Builder& b) {
         return side_by_side(b, {b.add("pool", graph::Pool{.kind = graph::PoolKind::average}, {0}),
                                 conv(b, "a", 0, 3, 2, Padding::same)});
       }},
      {"global_pool", [](Builder& b) { return b.add("mean", graph::GlobalPool{}, {0}); }},
      {"pad_then_convolution",
       [](Builder& b) {
         return conv(b, "a", b.add("pad", graph::Pad{.top = 1, .bottom = 2, .left = 3}, {0}), 3, 2, Padding::valid);
       }},
      {"crop",
       [](Builder& b) {
         return conv(b, "a", b.add("crop", graph::Pad{-1, 1, -1, 1}, {0}), 3, 1, Padding::same);
       }},
      {"batch_norm",
       [](Builder& b) { return conv(b, "a", b.add("bn", graph::BatchNorm{}, {0}), 3, 2, Padding::same); }},
      {"activation",
       [](Builder& b) { return conv(b, "a", b.add("act", graph::Activate{}, {0}), 3, 2, Padding::same); }},
      {"sigmoid",
       [](Builder& b) {
         return conv(b, "a", b.add("act", graph::Activate{graph::Activation::sigmoid}, {0}), 1, 1, Padding::same);
       }},
      {"depthwise",
       [](Builder& b) { return conv(b, "a", depthwise(b, "dw", 0, 3, 2, Padding::same), 1, 1, Padding::same); }},
      {"depthwise_beside_a_convolution",
       [](Builder& b) {
         return side_by_side(b,
                             {depthwise(b, "dw", 0, 5, 1, Padding::symmetric), conv(b, "a", 0, 3, 2, Padding::same)});
       }},
      {"residual_is_the_input",
       [](Builder& b) {
         return b.add("sum", graph::Add{}, {conv(b, "a", 0, 3, 1, Padding::same, 3), 0});
       }},
      {"input_twice",
       [](Builder& b) {
         return b.add("sum", graph::Add{}, {0, 0});
       }},
      {"concat",
       [](Builder& b) {
         return b.add("cat", graph::Concat{}, {0, conv(b, "a", 0, 3, 1, Padding::symmetric), 0});
       }},
      {"scaled_input",
       [](Builder& b) {
         const NodeId gate = b.add("mean", graph::GlobalPool{}, {0});
         return conv(b, "a", b.add("mul", graph::Mul{}, {0, gate}), 1, 1, Padding::same);
       }},
      {"scaled_map",
       [](Builder& b) {
         const NodeId gate = b.add("mean", graph::GlobalPool{}, {0});
         return b.add("act", graph::Activate{}, {b.add("mul", graph::Mul{}, {0, gate})});
       }},
      {"behind_an_identity",
       [](Builder& b) {
         return side_by_side(b, {conv(b, "a", b.add("id", graph::Identity{}, {0}), 3, 2, Padding::same),
                                 conv(b, "b", 0, 5, 2, Padding::symmetric)});
       }},
      {"behind_a_dropout_alone",
       [](Builder& b) { return conv(b, "a", b.add("drop", graph::Dropout{0.5}, {0}), 5, 2, Padding::symmetric); }},
      {"many_channels",
       [](Builder& b) {
         const NodeId id = b.add("id", graph::Identity{}, {0});
         return side_by_side(b,
                             {conv(b, "a", 0, 5, 2, Padding::same), conv(b, "b", 0, 3, 1, Padding::valid),
                              depthwise(b, "dw", 0, 3, 1, Padding::same), conv(b, "w", id, 3, 1, Padding::same, 40)});
       },
       37},
  };
}

graph::Graph graph_of(const Case& one) {
  Builder builder(one.name, {one.channels, 17, 14});
  const NodeId body = one.body(builder);
  const NodeId mean = builder.shape(body).pixels() == 1 ? body : builder.add("pool", graph::GlobalPool{}, {body});
  builder.graph().logits = builder.add("classifier", graph::Linear{7}, {mean});
  return builder.graph();
}

class ImageReader : public testing::TestWithParam<Case> {};

TEST_P(ImageReader, AgreesWithTheReference) {
  constexpr std::int64_t kImages = 3;
  const graph::Graph graph = graph_of(GetParam());
  const Parameters parameters(testkit::nontrivial_weights(graph));
  const std::vector<float> input = testkit::normal_values("images", kImages * graph.input().numel());
  const testkit::Truth truth = testkit::truth_of(graph, parameters, input, kImages);
  PlanOptions all_off{.fuse_epilogues = false, .fuse_depthwise = false, .fuse_scale = false, .fuse_pool = false};
  for (const kernels::Isa isa : kernels::usable_sets()) {
    const auto weights = testkit::pack(graph, parameters, isa);
    for (const PlanOptions& plan : {PlanOptions{}, all_off}) {
      for (const std::int64_t batch : {std::int64_t{1}, kImages}) {
        const auto part = static_cast<std::size_t>(batch);
        Session session(graph, weights, {.batch = batch, .threads = 2, .plan = plan});
        for (int again = 0; again < 2; ++again) {  // the second run starts with the memory contents of the first
          const auto logits = testkit::run(session, std::span(input).first(input.size() * part / kImages));
          EXPECT_LE(largest_difference(logits, std::span(truth.values).first(logits.size())), truth.tolerance)
              << isa << " batch " << batch << (plan.fuse_pool ? "" : " all off");
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ImageReader, testing::ValuesIn(cases()),
                         [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace effnet::engine
