// The tensor names of published weights, as tables. A foreign name is the name of a tensor in another project's
// weights. A naming scheme (NameScheme) maps effnet's node names to the foreign names of one project by patterns. It is
// not tied to a model: it applies to a Graph if its rows give every parameter exactly one foreign name, and no name
// twice. The rows are in name_tables.cc.
//
// Source: docs/reference/checkpoints.md, sections 1 and 2.
//
// Placeholders in patterns: {s} index of the stage, {j} index of the block inside its stage, {i} index of the block
// inside the network (all from 0); {S} number of stages; {N} number of blocks; {model} the scope with which TensorFlow
// names begin, such as efficientnet-b0; {role} the parameter's role, such as weight. A number may be added: {s+1}.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::formats {

// A full block has an expansion, "expand.conv"; a plain block has none (docs/reference/checkpoints.md, section 1).
enum class Blocks { any, plain, full };
// The order of a weight's axes. pytorch: OIHW for convolutions, (out, in) for linear layers. tensorflow: HWIO for
// convolutions, HWC1 for depthwise ones, (in, out) for linear layers.
enum class Layout { pytorch, tensorflow };

struct NameRow {
  std::string_view node;        // effnet's name: "stages.{s}.{j}.expand.conv", or a node's full name
  std::string_view foreign;     // the foreign name: "_blocks.{i}._expand_conv.{role}"
  Blocks blocks = Blocks::any;  // the row applies only to blocks of this kind
};

struct NameScheme {
  std::string_view source;   // torchvision, timm, lukemelas, tf, effnet
  std::string_view network;  // the networks that the rows describe; for messages
  std::string_view probe;    // the probe tensor: every file with this scheme contains it; may begin with "{model}"
  Layout layout = Layout::pytorch;
  bool counters = true;           // every batch norm has a counter num_batches_tracked
  std::span<const NameRow> rows;  // empty: effnet's own names
  // Further conditions on the graph. The foreign code cannot build a network that violates them.
  std::string_view needs = {};                       // a node that the graph must have
  std::string_view every_block = {};                 // a node that every block must have
  std::optional<graph::Activation> activation = {};  // the stem's activation; nullopt: any
  std::int64_t kernel = 0;                           // kernel size of every depthwise convolution; 0: any
};

// Returns all schemes, in order of preference. A file may match several: torchvision and timm use the same ResNet
// names.
std::span<const NameScheme> name_schemes();

struct ForeignName {
  std::string ours;  // "stages.1.0.expand.conv.weight"
  std::string foreign;
  tensor::Dims dims;              // effnet's, in PyTorch's order
  std::vector<std::size_t> axes;  // effnet's axis k is the foreign tensor's axis axes[k]
};
tensor::Dims foreign_dims(const ForeignName& name);

struct NameMap {
  std::vector<ForeignName> tensors;   // in graph order
  std::vector<std::string> counters;  // foreign names of the counters num_batches_tracked
};
// Returns nullopt if the scheme does not apply to the graph. `model` is the value of {model}.
std::optional<NameMap> map_names(const NameScheme& scheme, const graph::Graph& graph, std::string_view model = {});

// Searches `weights` for the scheme's probe tensor. Returns the value of {model} in its name, or "" if the scheme's
// names have no {model}. Returns nullopt if there is no such tensor.
std::optional<std::string> find_probe(const NameScheme& scheme, const tensor::Weights& weights);
// Returns the foreign name of the classifier's bias. The length of this tensor is the number of classes.
std::string classifier_bias(const NameScheme& scheme, std::string_view model);

// to_ours converts a foreign tensor to float32 in effnet's layout; its dims must be foreign_dims(name). to_foreign
// converts effnet's tensor to the foreign layout; its dims must be name.dims. A float32 tensor that needs no
// permutation is returned as a view.
tensor::Tensor to_ours(const tensor::Tensor& tensor, const ForeignName& name);
tensor::Tensor to_foreign(const tensor::Tensor& tensor, const ForeignName& name);

}  // namespace effnet::formats
