// The tensor names of published weights, as tables: a NameScheme maps effnet's node names to foreign names by patterns.
// A scheme is not tied to a model: it applies to a Graph if its rows give every parameter exactly one foreign name.
// Source: docs/reference/checkpoints.md, sections 1 and 2. The rows are in name_tables.cc.
//
// Placeholders: {s} stage, {j} block inside its stage, {i} block inside the network, all from 0; {S} number of stages;
// {N} number of blocks; {model} scope of TensorFlow names; {role} parameter. A number may be added: {s+1}.
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

enum class Blocks { any, plain, full };     // plain: no "expand.conv" (docs/reference/checkpoints.md, 1)
enum class Layout { pytorch, tensorflow };  // OIHW and out,in; or HWIO, HWC1 and in,out

struct NameRow {
  std::string_view node;     // effnet's: "stages.{s}.{j}.expand.conv", or a node's full name
  std::string_view foreign;  // foreign: "_blocks.{i}._expand_conv.{role}"
  Blocks blocks = Blocks::any;
};

struct NameScheme {
  std::string_view source;   // torchvision, timm, lukemelas, tf, effnet
  std::string_view network;  // the networks that the rows describe; for messages
  std::string_view probe;    // a tensor that every such file contains; may begin with "{model}"
  Layout layout = Layout::pytorch;
  bool counters = true;           // batch norms have num_batches_tracked
  std::span<const NameRow> rows;  // empty: effnet's own names
  // Further conditions: networks that violate them cannot be built by the foreign code.
  std::string_view needs = {};                       // a node that the graph must have
  std::string_view every_block = {};                 // a node that every block must have
  std::optional<graph::Activation> activation = {};  // of the stem
  std::int64_t kernel = 0;                           // of every depthwise convolution; 0: any
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
  std::vector<std::string> counters;  // foreign names of num_batches_tracked
};
// Returns nothing if the scheme does not apply to the graph. `model` is the value of {model}.
std::optional<NameMap> map_names(const NameScheme& scheme, const graph::Graph& graph, std::string_view model = {});

// Returns the value of {model} in a file with the probe tensor ("" if the scheme has no {model}). Returns nothing if
// the file has no probe tensor.
std::optional<std::string> find_probe(const NameScheme& scheme, const tensor::Weights& weights);
// Returns the foreign name of the classifier's bias. Its length is the number of classes.
std::string classifier_bias(const NameScheme& scheme, std::string_view model);

// Convert a foreign tensor to float32 in effnet's layout, or effnet's tensor to the foreign layout. A float32 tensor
// that needs no permutation is returned as a view. The dims must match.
tensor::Tensor to_ours(const tensor::Tensor& tensor, const ForeignName& name);
tensor::Tensor to_foreign(const tensor::Tensor& tensor, const ForeignName& name);

}  // namespace effnet::formats
