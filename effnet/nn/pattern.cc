#include "effnet/nn/pattern.h"

#include <variant>

namespace effnet::nn {
namespace {

bool has_kernel(graph::Activation kind) {
  return kind != graph::Activation::none && kind != graph::Activation::sigmoid;
}

// Reads consecutive nodes, starting at `first`. A function that finds no match leaves the position unchanged.
class Reader {
 public:
  Reader(const graph::Graph& graph, NodeId first) : graph_(graph), next_(first) {}

  // If the next node is an Op whose only input is `input`, moves past it and returns its op; else returns null.
  template <class Op>
  const Op* take(NodeId input) {
    if (next_ >= static_cast<NodeId>(graph_.nodes.size())) return nullptr;
    const graph::Node& node = graph_.at(next_);
    if (node.inputs.size() != 1 || node.inputs[0] != input) return nullptr;
    const Op* const op = std::get_if<Op>(&node.op);
    if (op != nullptr) ++next_;
    return op;
  }
  // If the next node is an Op with inputs a and b, in this order or, with `either`, in any order, moves past it and
  // returns true; else returns false.
  template <class Op>
  bool take_two(NodeId a, NodeId b, bool either) {
    if (next_ >= static_cast<NodeId>(graph_.nodes.size())) return false;
    const graph::Node& node = graph_.at(next_);
    if (!std::holds_alternative<Op>(node.op) || node.inputs.size() != 2) return false;
    const bool same = node.inputs[0] == a && node.inputs[1] == b;
    const bool swapped = either && node.inputs[0] == b && node.inputs[1] == a;
    if (same || swapped) ++next_;
    return same || swapped;
  }
  NodeId last() const { return next_ - 1; }

  // Reads a convolution without bias for which fits() is true, its batch norm and, with `activated`, its activation.
  // Returns nothing if the next nodes are not these.
  template <class Fits>
  std::optional<ConvNodes> take_conv(NodeId input, bool activated, Fits fits) {
    const NodeId start = next_;
    ConvNodes nodes;
    const auto* const conv = take<graph::Conv>(input);
    if (conv != nullptr && !conv->bias && fits(*conv, graph_.at(last()))) {
      nodes.conv = last();
      if (take<graph::BatchNorm>(nodes.conv) != nullptr) {
        nodes.norm = last();
        if (!activated) return nodes;
        const auto* const activate = take<graph::Activate>(nodes.norm);
        nodes.activate = last();
        if (activate != nullptr && has_kernel(activate->kind)) return nodes;
      }
    }
    next_ = start;
    return std::nullopt;
  }

 private:
  const graph::Graph& graph_;
  NodeId next_;
};

bool is_pointwise(const graph::Conv& conv) { return conv.kernel == 1 && conv.stride == 1 && conv.groups == 1; }

// Whether no node after `last` reads a value of nodes [first, last), and the logits are not one of these values. A
// fused step does not keep these values.
bool is_closed(const graph::Graph& graph, NodeId first, NodeId last) {
  for (NodeId id = last + 1; id < static_cast<NodeId>(graph.nodes.size()); ++id) {
    for (const NodeId input : graph.at(id).inputs) {
      if (input >= first && input < last) return false;
    }
  }
  return !(graph.logits >= first && graph.logits < last);
}

graph::Activation activation_of(const graph::Graph& graph, NodeId id) {
  return std::get<graph::Activate>(graph.at(id).op).kind;
}

}  // namespace

std::optional<MbConvNodes> match_mbconv(const graph::Graph& graph, NodeId first) {
  if (graph.at(first).inputs.size() != 1) return std::nullopt;
  MbConvNodes nodes;
  nodes.input = graph.at(first).inputs[0];
  Reader reader(graph, first);
  nodes.expand = reader.take_conv(nodes.input, true,
                                  [](const graph::Conv& conv, const graph::Node&) { return is_pointwise(conv); });
  NodeId at = nodes.expand ? nodes.expand->activate : nodes.input;

  const auto depthwise = reader.take_conv(at, true, [&](const graph::Conv& conv, const graph::Node& node) {
    const std::int64_t channels = graph.in(node).c;
    const graph::WindowPadding padding = graph::padding_of(graph, node);
    return conv.groups == channels && conv.out_channels == channels &&
           (conv.kernel == 3 || conv.kernel == 5 || conv.kernel == 7) && (conv.stride == 1 || conv.stride == 2) &&
           padding.top >= 0 && padding.left >= 0 && padding.top < conv.kernel && padding.left < conv.kernel;
  });
  if (!depthwise) return std::nullopt;
  nodes.depthwise = *depthwise;
  at = nodes.depthwise.activate;
  if (nodes.expand && activation_of(graph, nodes.expand->activate) != activation_of(graph, at)) return std::nullopt;

  const auto is_fc = [](const graph::Conv* conv) { return conv != nullptr && is_pointwise(*conv) && conv->bias; };
  if (reader.take<graph::GlobalPool>(at) != nullptr) {
    const NodeId pool = reader.last();
    if (!is_fc(reader.take<graph::Conv>(pool))) return std::nullopt;
    nodes.reduce = reader.last();
    const auto* const activate = reader.take<graph::Activate>(nodes.reduce);
    if (activate == nullptr || !has_kernel(activate->kind)) return std::nullopt;
    nodes.squeeze_activate = reader.last();
    if (!is_fc(reader.take<graph::Conv>(nodes.squeeze_activate))) return std::nullopt;
    nodes.excite = reader.last();
    const auto* const gate = reader.take<graph::Activate>(nodes.excite);
    if (gate == nullptr || gate->kind != graph::Activation::sigmoid) return std::nullopt;
    if (!reader.take_two<graph::Mul>(at, reader.last(), false)) return std::nullopt;
    at = reader.last();
  }
  const auto project =
      reader.take_conv(at, false, [](const graph::Conv& conv, const graph::Node&) { return is_pointwise(conv); });
  if (!project) return std::nullopt;
  nodes.project = *project;
  nodes.last = reader.last();

  NodeId branch = nodes.last;
  if (reader.take<graph::DropPath>(branch) != nullptr) branch = reader.last();
  if (reader.take_two<graph::Add>(branch, nodes.input, true)) {
    if (branch != nodes.last) nodes.drop_path = branch;
    nodes.add = nodes.last = reader.last();
  }
  if (!is_closed(graph, first, nodes.last)) {
    // The block without its residual sum may still be closed.
    nodes.drop_path = nodes.add = -1;
    nodes.last = nodes.project.norm;
    if (!is_closed(graph, first, nodes.last)) return std::nullopt;
  }
  return nodes;
}

std::optional<ConvBnActNodes> match_conv_bn_act(const graph::Graph& graph, NodeId first) {
  if (graph.at(first).inputs.size() != 1) return std::nullopt;
  ConvBnActNodes nodes;
  nodes.input = graph.at(first).inputs[0];
  Reader reader(graph, first);
  const auto conv = reader.take_conv(nodes.input, true, [&](const graph::Conv& op, const graph::Node& node) {
    const graph::WindowPadding padding = graph::padding_of(graph, node);
    const bool of_input = std::holds_alternative<graph::Input>(graph.at(nodes.input).op) && op.groups == 1 &&
                          padding.top >= 0 && padding.left >= 0;
    return is_pointwise(op) || of_input;
  });
  if (!conv) return std::nullopt;
  nodes.nodes = *conv;
  nodes.last = reader.last();
  return is_closed(graph, first, nodes.last) ? std::optional(nodes) : std::nullopt;
}

}  // namespace effnet::nn
