#include "effnet/graph/builder.h"

#include <algorithm>
#include <limits>

#include "effnet/base/error.h"

namespace effnet::graph {
namespace {

using Shapes = std::vector<Chw>;

// With these limits, products of a node's sizes fit into 64 bits. Graphs from lower() are far smaller.
constexpr std::int64_t kMaxChannels = std::int64_t{1} << 26;
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 16;  // height, width, kernel and stride

void check_range(std::string_view what, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  throw input_error("{}: out of range (got {}, expected {} to {})", what, value, low, high);
}

// The error for inputs whose shapes do not fit. A hand-written network may cause it, for example with an unusual
// padding or stride in a block with branches.
Error mismatch(const Chw& a, const Chw& b) {
  return input_error("shapes differ (got {}x{}x{} and {}x{}x{}, expected equal shapes)", a.c, a.h, a.w, b.c, b.h, b.w);
}

// Computes the output shape of one image; one overload per op.
struct InferShape {
  const Shapes& in;

  void inputs(std::size_t count) const {
    if (in.size() == count) return;
    throw input_error("wrong number of inputs (got {}, expected {})", in.size(), count);
  }
  Chw window(std::int64_t channels, std::int64_t kernel, std::int64_t stride, Padding padding) const {
    inputs(1);
    check_range("kernel", kernel, 1, kMaxPixels);
    check_range("stride", stride, 1, kMaxPixels);
    return {channels, resolve_padding(padding, in[0].h, kernel, stride).out,
            resolve_padding(padding, in[0].w, kernel, stride).out};
  }

  Chw operator()(const Input&) const { throw input_error("more than one input node (expected only the first node)"); }
  Chw operator()(const Conv& op) const {
    if (op.groups < 1 || in[0].c % op.groups != 0 || op.out_channels % op.groups != 0) {
      throw input_error(
          "groups do not divide the channels (got {} groups, {} input channels, {} output channels; expected a divisor "
          "of both)",
          op.groups, in[0].c, op.out_channels);
    }
    return window(op.out_channels, op.kernel, op.stride, op.padding);
  }
  Chw operator()(const Pool& op) const {
    if (op.kind == PoolKind::none) throw input_error("wrong kind of pool (got none, expected max or average)");
    return window(in[0].c, op.kernel, op.stride, op.padding);
  }
  Chw operator()(const GlobalPool&) const {
    inputs(1);
    return {in[0].c, 1, 1};
  }
  Chw operator()(const Linear& op) const {
    inputs(1);
    if (in[0].pixels() != 1) throw mismatch(in[0], {in[0].c, 1, 1});
    return {op.out_features, 1, 1};
  }
  Chw operator()(const Add&) const {
    inputs(2);
    if (in[0] != in[1]) throw mismatch(in[0], in[1]);
    return in[0];
  }
  Chw operator()(const Mul&) const {
    inputs(2);
    if (in[1] != Chw{in[0].c, 1, 1}) throw mismatch({in[0].c, 1, 1}, in[1]);
    return in[0];
  }
  Chw operator()(const Concat&) const {
    Chw out = in[0];
    for (std::size_t i = 1; i < in.size(); ++i) {
      if (in[i].h != out.h || in[i].w != out.w) throw mismatch(in[0], in[i]);
      out.c += in[i].c;
    }
    return out;
  }
  Chw operator()(const Pad& op) const {
    inputs(1);
    for (const std::int64_t amount : {op.top, op.bottom, op.left, op.right})
      check_range("pad", amount, -kMaxPixels, kMaxPixels);
    const Chw out{in[0].c, in[0].h + op.top + op.bottom, in[0].w + op.left + op.right};
    if (out.h < 1 || out.w < 1)
      throw input_error("the resolution is too small for this network (got {}x{} after a crop, expected at least 1x1)",
                        out.h, out.w);
    return out;
  }
  template <class Elementwise>
  Chw operator()(const Elementwise&) const {
    inputs(1);
    return in[0];
  }
};

// The number of weights of a Conv or Linear, limited to 2^63 - 1; 1 for other ops.
std::int64_t parameters_of(const Op& op, const Shapes& in) {
  std::int64_t count = 1;
  const auto times = [&](std::int64_t factor) {
    if (__builtin_mul_overflow(count, factor, &count)) count = std::numeric_limits<std::int64_t>::max();
  };
  if (const auto* conv = std::get_if<Conv>(&op)) {
    for (const std::int64_t factor : {conv->out_channels, in[0].c / conv->groups, conv->kernel, conv->kernel})
      times(factor);
  } else if (const auto* linear = std::get_if<Linear>(&op)) {
    for (const std::int64_t factor : {linear->out_features, in[0].c}) times(factor);
  }
  return count;
}

}  // namespace

Chw infer_shape(const Op& op, const std::vector<Chw>& in) {
  if (in.empty()) throw input_error("wrong number of inputs (got 0, expected at least 1)");
  const Chw out = std::visit(InferShape{in}, op);
  check_range("channels", out.c, 1, kMaxChannels);
  check_range("height", out.h, 1, kMaxPixels);
  check_range("width", out.w, 1, kMaxPixels);
  return out;
}

void check(const Graph& graph) {
  // A tensor with more values fits into no memory. With this limit, counts in bytes stay within 64 bits, also for
  // batches.
  constexpr std::int64_t kMaxValues = std::int64_t{1} << 38;
  if (graph.nodes.empty() || !std::holds_alternative<Input>(graph.nodes[0].op) || !graph.nodes[0].inputs.empty())
    throw input_error("{}: wrong first node (expected an input node, which reads no other node)", graph.name);
  const auto known = [&](NodeId id, std::size_t end) { return id >= 0 && static_cast<std::size_t>(id) < end; };
  std::vector<Chw> in;
  std::int64_t values = 0;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    try {
      in.clear();
      for (const NodeId id : node.inputs) {
        if (!known(id, i))
          throw input_error("an input is not an earlier node (got node {}, expected node 0 to {})", id, i - 1);
        in.push_back(graph.at(id).out);
      }
      const Chw out = i == 0 ? infer_shape(Identity{}, {node.out}) : infer_shape(node.op, in);
      if (out != node.out) throw mismatch(node.out, out);
      values = std::max({values, out.numel(), parameters_of(node.op, in)});
      if (values > kMaxValues) throw input_error("too large (got {} values, expected at most {})", values, kMaxValues);
    } catch (const Error& error) {
      throw error.in(node.name);
    }
  }
  for (const NodeId id : {graph.logits, graph.features}) {
    if (!known(id, graph.nodes.size()))
      throw input_error("{}: the output node does not exist (got {}, expected 0 to {})", graph.name, id,
                        graph.nodes.size() - 1);
  }
}

Builder::Builder(std::string name, Chw input) {
  graph_.name = std::move(name);
  graph_.nodes.push_back({"input", Input{}, {}, input});
}

NodeId Builder::add(std::string name, Op op, std::vector<NodeId> inputs) {
  Shapes shapes;
  for (const NodeId id : inputs) {
    EFFNET_CHECK(id >= 0 && static_cast<std::size_t>(id) < graph_.nodes.size());
    shapes.push_back(shape(id));
  }
  const auto infer = [&] {
    try {
      return infer_shape(op, shapes);
    } catch (const Error& error) {
      throw error.in(name);
    }
  };
  const Chw out = infer();
  graph_.nodes.push_back({std::move(name), op, std::move(inputs), out});
  return static_cast<NodeId>(graph_.nodes.size() - 1);
}

}  // namespace effnet::graph
