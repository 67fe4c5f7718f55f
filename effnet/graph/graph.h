// The Graph: the operations of a network, in the form that programs read. It lists nodes in topological order; each has
// a name, an op with its attributes, the nodes that it reads, and the output shape for one image. Analysis, engine,
// formats, training and export read only the Graph.
//
// Conv and Pool store the padding *rule*; padding_of() resolves it for the node's input size. A Graph is valid for one
// resolution. For another one, lower() the ArchSpec again; that is cheap (B7: 1,280 nodes in under a millisecond).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/base/export.h"
#include "effnet/base/shape.h"

namespace effnet::graph {

using arch::Activation;
using arch::Padding;
using arch::PoolKind;

using NodeId = std::int32_t;  // index into Graph::nodes

// The ops. A depthwise convolution is a Conv with groups = channels. Kernels and strides are square.
struct Input {};
struct Conv {
  std::int64_t out_channels = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t groups = 1;
  Padding padding = Padding::same;
  bool bias = false;
};
struct BatchNorm {
  double epsilon = 1e-3;
  double momentum = 0.99;  // moving = momentum * moving + (1 - momentum) * batch
};
struct Activate {
  Activation kind = Activation::silu;
};
struct GlobalPool {};  // mean over h and w; the output is 1x1
struct Pool {
  PoolKind kind = PoolKind::max;  // max ignores padding (as if the padding were -infinity)
  std::int64_t kernel = 3;
  std::int64_t stride = 2;
  Padding padding = Padding::same;
  bool count_padding = false;  // average: true divides by the window's size, false by the pixels inside the image
};
struct Linear {
  std::int64_t out_features = 0;  // the input is 1x1; always with bias
};
struct Add {};
struct Mul {};     // the second input is 1x1: one factor per channel
struct Concat {};  // along the channels
struct Pad {       // adds zeros; a negative amount crops
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
};
struct Dropout {
  double rate = 0;  // training only
};
struct DropPath {
  double rate = 0;  // training only: drops the branch, for each image independently
};
struct Identity {};

using Op = std::variant<Input, Conv, BatchNorm, Activate, GlobalPool, Pool, Linear, Add, Mul, Concat, Pad, Dropout,
                        DropPath, Identity>;
EFFNET_API std::string_view op_name(const Op& op);  // "conv", "batch_norm", ...

struct Node {
  std::string name;  // unique: "stages.2.1.expand.conv"
  Op op;
  std::vector<NodeId> inputs;  // nodes before this one
  Chw out;                     // output shape of one image
};

// A stage as `inspect` and `scale` report it: the output of its last block.
struct Stage {
  std::int64_t channels = 0;
  std::int64_t repeats = 0;
  Size resolution;
};

struct Graph {
  std::string name;
  std::vector<Node> nodes;  // nodes[0] is the Input
  std::vector<Stage> stages;
  std::vector<NodeId> reductions;  // reductions[i]: last block output at 1/2^(i+1) of the input size
  NodeId features = 0;             // input of the global pool: the feature map of class activation maps
  NodeId logits = 0;

  const Node& at(NodeId id) const { return nodes[static_cast<std::size_t>(id)]; }
  Chw in(const Node& node, std::size_t i = 0) const { return at(node.inputs[i]).out; }
  const Chw& input() const { return nodes[0].out; }
  std::int64_t classes() const { return at(logits).out.c; }
  EFFNET_API const Node* find(std::string_view node_name) const;  // null if absent; linear search
};

// Checks a graph that code has filled in, because readers of graphs rely on their shapes. Throws Error(input) with the
// node's name if the Builder could not have made the graph, or if a tensor is larger than any memory.
EFFNET_API void check(const Graph& graph);

// Numbers of pixels that are added on each side.
struct WindowPadding {
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
};
// The padding of a Conv or Pool node of `graph`.
EFFNET_API WindowPadding padding_of(const Graph& graph, const Node& node);
// The padding and the output size of one axis with n pixels, kernel k and stride s. Throws Error(input) if no window
// fits.
struct AxisPadding {
  std::int64_t before = 0, after = 0, out = 0;
};
EFFNET_API AxisPadding resolve_padding(Padding rule, std::int64_t n, std::int64_t k, std::int64_t s);

// A tensor of values that a node needs. Its name is "<node>.<role>", with PyTorch's roles and shapes.
enum class ParameterKind { weight, bias, norm_weight, norm_bias, norm_mean, norm_variance };
struct Parameter {
  std::string name;
  std::vector<std::int64_t> dims;
  ParameterKind kind = ParameterKind::weight;
  EFFNET_API std::int64_t numel() const;
  EFFNET_API bool statistic() const;   // a moving mean or variance of batch norm, which is not trained
  EFFNET_API bool batch_norm() const;  // belongs to a batch norm
};
EFFNET_API std::vector<Parameter> parameters(const Graph& graph, const Node& node);
EFFNET_API std::vector<Parameter> parameters(const Graph& graph);
// The node's parameter of this kind. Throws Error(internal) if the node has none.
EFFNET_API Parameter parameter(const Graph& graph, const Node& node, ParameterKind kind);

}  // namespace effnet::graph
