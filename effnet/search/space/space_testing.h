// Helpers of tests: the text of a network's graph, all points of a space, and small spaces.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "effnet/graph/lower.h"
#include "effnet/search/space/space.h"

namespace effnet::search {

// The attributes of an op, as far as networks of a space can differ in them.
struct OpText {
  std::string operator()(const graph::Conv& op) const {
    return fmt::format("{} {} {} {} {} {}", op.out_channels, op.kernel, op.stride, op.groups, arch::name(op.padding),
                       op.bias);
  }
  std::string operator()(const graph::BatchNorm& op) const { return fmt::format("{} {}", op.epsilon, op.momentum); }
  std::string operator()(const graph::Activate& op) const { return std::string(arch::name(op.kind)); }
  std::string operator()(const graph::Linear& op) const { return fmt::format("{}", op.out_features); }
  std::string operator()(const graph::Dropout& op) const { return fmt::format("{}", op.rate); }
  std::string operator()(const graph::DropPath& op) const { return fmt::format("{}", op.rate); }
  template <class Other>
  std::string operator()(const Other&) const {
    return "";
  }
};

// All nodes with their attributes, inputs and shapes, and all parameters with their dimensions.
inline std::string graph_text(const arch::ArchSpec& spec) {
  const graph::Graph network = graph::lower(spec);
  std::string text;
  for (const graph::Node& node : network.nodes) {
    text += fmt::format("{} {} {} [{}] {}x{}x{}\n", node.name, graph::op_name(node.op), std::visit(OpText{}, node.op),
                        fmt::join(node.inputs, " "), node.out.c, node.out.h, node.out.w);
  }
  for (const graph::Parameter& parameter : graph::parameters(network))
    text += fmt::format("{} [{}]\n", parameter.name, fmt::join(parameter.dims, " "));
  return text;
}

// Calls visit(point) for every point of the space.
inline void for_each_point(const Space& space, const std::function<void(const Point&)>& visit) {
  Point point(space.choices.size(), 0);
  for (std::size_t i = 0; i < point.size();) {
    visit(point);
    for (i = 0; i < point.size(); ++i) {  // counts up, the first choice fastest
      if (static_cast<std::size_t>(++point[i]) < space.choices[i].options.size()) break;
      point[i] = 0;
    }
  }
}

// Two stages with one block each, at 8 px.
inline constexpr std::string_view kTwoStages =
    "name = 'two'\n"
    "[base]\n"
    "name = 'base'\n"
    "resolution = 8\n"
    "classes = 2\n"
    "drop_path = 0.1\n"
    "[base.stem]\n"
    "channels = 8\n"
    "stride = 1\n"
    "[[base.stages]]\n"
    "channels = 8\n"
    "[[base.stages]]\n"
    "channels = 8\n"
    "[base.head]\n"
    "channels = 0\n";

inline Space two_stages(std::string_view choices) {
  return parse_space(std::string(kTwoStages) + std::string(choices), "two.toml");
}

}  // namespace effnet::search
