// check() for graphs that code has filled in: it accepts graphs of the Builder, and its errors name the wrong node.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::graph {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

Graph small() {
  Builder builder("small", {3, 8, 8});
  NodeId x = builder.add("conv", Conv{.out_channels = 8, .kernel = 3}, {0});
  x = builder.add("pool", Pool{}, {x});
  x = builder.add("dw", Conv{.out_channels = 8, .kernel = 3, .groups = 8}, {x});
  const NodeId mean = builder.add("mean", GlobalPool{}, {x});
  x = builder.add("mul", Mul{}, {x, mean});
  x = builder.add("add", Add{}, {x, x});
  x = builder.add("pad", Pad{1, 1, 1, 1}, {x});
  x = builder.add("cat", Concat{}, {x, x});
  x = builder.add("head", GlobalPool{}, {x});
  builder.graph().features = builder.graph().logits = builder.add("fc", Linear{5}, {x});
  return builder.graph();
}

std::string refusal(const Graph& graph) {
  try {
    check(graph);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
    return error.what();
  }
  return "no error";
}

template <class Op>
Op& op(Graph& graph, std::size_t node) {
  return std::get<Op>(graph.nodes[node].op);
}

TEST(GraphCheck, AcceptsGraphsOfTheBuilder) {
  EXPECT_EQ(refusal(small()), "no error");
  for (const arch::Variant& variant : arch::family())
    EXPECT_EQ(refusal(lower(variant.spec)), "no error") << variant.name;
}

TEST(GraphCheck, ErrorNamesTheWrongNode) {
  struct Fault {
    const char* node;
    std::function<void(Graph&)> make;
  };
  const std::vector<Fault> faults{
      {"conv", [](Graph& g) { op<Conv>(g, 1).stride = 0; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).stride = -1; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).stride = kHuge; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).kernel = 0; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).kernel = kHuge; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).kernel = 5, op<Conv>(g, 1).padding = Padding::valid; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).groups = 0; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).groups = 2; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).out_channels = 0; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).out_channels = 16; }},
      {"conv", [](Graph& g) { op<Conv>(g, 1).out_channels = kHuge; }},
      {"conv", [](Graph& g) { g.nodes[1].out.c = 16; }},
      {"conv", [](Graph& g) { g.nodes[1].out.w = 9; }},
      {"conv", [](Graph& g) { g.nodes[1].inputs = {}; }},
      {"conv",
       [](Graph& g) {
         g.nodes[1].inputs = {0, 0};
       }},
      {"conv", [](Graph& g) { g.nodes[1].inputs = {1}; }},
      {"conv", [](Graph& g) { g.nodes[1].inputs = {-1}; }},
      {"conv", [](Graph& g) { g.nodes[1].inputs = {1000}; }},
      {"conv", [](Graph& g) { g.nodes[1].op = Input{}; }},
      {"pool", [](Graph& g) { op<Pool>(g, 2).stride = 0; }},
      {"pool", [](Graph& g) { op<Pool>(g, 2).kernel = -3; }},
      {"pool", [](Graph& g) { op<Pool>(g, 2).kind = PoolKind::none; }},
      {"mean", [](Graph& g) { g.nodes[4].out.h = 2; }},
      {"mul",
       [](Graph& g) {
         g.nodes[5].inputs = {3, 3};
       }},
      {"mul", [](Graph& g) { g.nodes[5].inputs = {3}; }},
      {"add",
       [](Graph& g) {
         g.nodes[6].inputs = {5, 4};
       }},
      {"pad", [](Graph& g) { op<Pad>(g, 7).left = kHuge; }},
      {"pad", [](Graph& g) { op<Pad>(g, 7).left = -2; }},
      {"cat",
       [](Graph& g) {
         g.nodes[8].inputs = {7, 4};
       }},
      {"fc", [](Graph& g) { g.nodes[10].inputs = {8}; }},
      {"fc", [](Graph& g) { op<Linear>(g, 10).out_features = -1; }},
      {"input", [](Graph& g) { g.nodes[0].out.h = 0; }},
      {"input", [](Graph& g) { g.nodes[0].out.c = kHuge; }},
      {"small", [](Graph& g) { g.nodes[0].op = Identity{}; }},
      {"small", [](Graph& g) { g.logits = 11; }},
      {"small", [](Graph& g) { g.features = -1; }},
      {"small", [](Graph& g) { g.nodes.clear(); }},
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    Graph graph = small();
    faults[i].make(graph);
    EXPECT_THAT(refusal(graph), testing::StartsWith(std::string(faults[i].node) + ":")) << "fault " << i;
  }
}

TEST(GraphCheck, TensorsBeyondAnyMemoryAreErrors) {
  Builder wide("wide", {1 << 20, 1 << 12, 1 << 12});
  wide.graph().logits = wide.add("fc", Linear{5}, {wide.add("mean", GlobalPool{}, {0})});
  EXPECT_THAT(refusal(wide.graph()), HasSubstr("input: too large"));
  Builder heavy("heavy", {1 << 20, 1, 1});
  heavy.graph().logits = heavy.add("fc", Conv{.out_channels = 1 << 20, .kernel = 1001}, {0});
  EXPECT_THAT(refusal(heavy.graph()), HasSubstr("fc: too large"));
}

// Counts may be computed without check(). A count above 64 bits is an error, not a wrong number.
TEST(GraphCheck, CountsAbove64BitsAreErrors) {
  const Parameter parameter{"a.weight", {1 << 30, 1 << 30, 1 << 10}};
  EXPECT_THROW(static_cast<void>(parameter.numel()), Error);
  Graph graph = small();
  op<Conv>(graph, 1).kernel = std::int64_t{1} << 31;
  EXPECT_THROW(costs(graph), Error);
}

TEST(GraphCheck, KernelOrStrideBelowOneIsAnError) {
  for (const auto& [kernel, stride] : {std::pair{0, 1}, std::pair{3, 0}, std::pair{-1, 1}, std::pair{3, -2}}) {
    for (const Padding rule : {Padding::same, Padding::symmetric, Padding::valid})
      EXPECT_THROW(resolve_padding(rule, 8, kernel, stride), Error) << kernel << " " << stride;
  }
}

}  // namespace
}  // namespace effnet::graph
