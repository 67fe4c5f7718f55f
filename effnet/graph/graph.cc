#include "effnet/graph/graph.h"

#include <algorithm>
#include <array>

#include "effnet/base/error.h"

namespace effnet::graph {
namespace {

// In the order of the variant.
constexpr std::array<std::string_view, std::variant_size_v<Op>> kOpNames{
    "input", "conv", "batch_norm", "activation", "global_pool", "pool",      "linear",
    "add",   "mul",  "concat",     "pad",        "dropout",     "drop_path", "identity"};

struct Window {
  std::int64_t kernel, stride;
  Padding padding;
};

Window window_of(const Node& node) {
  if (const auto* conv = std::get_if<Conv>(&node.op)) return {conv->kernel, conv->stride, conv->padding};
  const auto* pool = std::get_if<Pool>(&node.op);
  EFFNET_CHECK(pool != nullptr);
  return {pool->kernel, pool->stride, pool->padding};
}

}  // namespace

std::string_view op_name(const Op& op) { return kOpNames[op.index()]; }

const Node* Graph::find(std::string_view node_name) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.name == node_name; });
  return found == nodes.end() ? nullptr : &*found;
}

AxisPadding resolve_padding(Padding rule, std::int64_t n, std::int64_t k, std::int64_t s) {
  if (k < 1 || s < 1)
    throw input_error("kernel or stride out of range (got kernel {} and stride {}, expected at least 1)", k, s);
  AxisPadding axis;
  switch (rule) {
    case Padding::same: {
      const std::int64_t total = std::max<std::int64_t>(((n + s - 1) / s - 1) * s + k - n, 0);
      axis.before = total / 2;
      axis.after = total - total / 2;
      break;
    }
    case Padding::symmetric:
      axis.before = axis.after = (k - 1) / 2;
      break;
    case Padding::valid:
      break;
  }
  const std::int64_t last = n + axis.before + axis.after - k;  // largest possible start of a window
  if (last < 0) {
    throw input_error(
        "the resolution is too small for this network (the input of a {}x{} window inside it has {} pixels per side, "
        "expected at least {})",
        k, k, n, k - axis.before - axis.after);
  }
  axis.out = last / s + 1;
  return axis;
}

WindowPadding padding_of(const Graph& graph, const Node& node) {
  const Window window = window_of(node);
  const Chw in = graph.in(node);
  const AxisPadding vertical = resolve_padding(window.padding, in.h, window.kernel, window.stride);
  const AxisPadding horizontal = resolve_padding(window.padding, in.w, window.kernel, window.stride);
  return {vertical.before, vertical.after, horizontal.before, horizontal.after};
}

std::int64_t Parameter::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t dim : dims) {
    if (__builtin_mul_overflow(product, dim, &product))
      throw input_error("{}: too large (got more than 2^63 values)", name);
  }
  return product;
}

bool Parameter::statistic() const { return kind == ParameterKind::norm_mean || kind == ParameterKind::norm_variance; }

bool Parameter::batch_norm() const {
  return statistic() || kind == ParameterKind::norm_weight || kind == ParameterKind::norm_bias;
}

std::vector<Parameter> parameters(const Graph& graph, const Node& node) {
  std::vector<Parameter> result;
  const auto add = [&](std::string_view role, std::vector<std::int64_t> dims, ParameterKind kind) {
    result.push_back({fmt::format("{}.{}", node.name, role), std::move(dims), kind});
  };
  if (const auto* conv = std::get_if<Conv>(&node.op)) {
    add("weight", {conv->out_channels, graph.in(node).c / conv->groups, conv->kernel, conv->kernel},
        ParameterKind::weight);
    if (conv->bias) add("bias", {conv->out_channels}, ParameterKind::bias);
  } else if (std::holds_alternative<BatchNorm>(node.op)) {
    add("weight", {node.out.c}, ParameterKind::norm_weight);
    add("bias", {node.out.c}, ParameterKind::norm_bias);
    add("running_mean", {node.out.c}, ParameterKind::norm_mean);
    add("running_var", {node.out.c}, ParameterKind::norm_variance);
  } else if (const auto* linear = std::get_if<Linear>(&node.op)) {
    add("weight", {linear->out_features, graph.in(node).c}, ParameterKind::weight);
    add("bias", {linear->out_features}, ParameterKind::bias);
  }
  return result;
}

std::vector<Parameter> parameters(const Graph& graph) {
  std::vector<Parameter> result;
  for (const Node& node : graph.nodes) {
    for (Parameter& parameter : parameters(graph, node)) result.push_back(std::move(parameter));
  }
  return result;
}

Parameter parameter(const Graph& graph, const Node& node, ParameterKind kind) {
  for (Parameter& parameter : parameters(graph, node)) {
    if (parameter.kind == kind) return std::move(parameter);
  }
  throw internal_error("{} has no parameter of kind {}", node.name, static_cast<int>(kind));
}

}  // namespace effnet::graph
