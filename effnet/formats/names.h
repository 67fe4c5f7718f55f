// How the tensors of published weights are called, as data: a NameScheme maps our node names to a foreign format's by
// patterns. No scheme knows a model: it applies to a Graph if its rows give every parameter exactly one foreign name.
// Source: docs/reference/checkpoints.md, sections 1 and 2. The rows are in name_tables.cc.
//
// Patterns: {s} stage and {j} block inside it, from 0; {i} flat block index; {S} number of stages; {N} number of
// blocks; {model} the scope of TensorFlow names; {role} the parameter. A number may be added: {s+1}.
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

// plain: the block has no "expand.conv" (docs/reference/checkpoints.md, section 1)
enum class Blocks { any, plain, full };
enum class Layout { pytorch, tensorflow };  // OIHW and out,in; or HWIO, HWC1 and in,out

struct NameRow {
  std::string_view node;     // ours: "stages.{s}.{j}.expand.conv", or a node's name as it is
  std::string_view foreign;  // theirs: "_blocks.{i}._expand_conv.{role}"
  Blocks blocks = Blocks::any;
};

struct NameScheme {
  std::string_view source;   // torchvision, timm, lukemelas, tf, effnet
  std::string_view network;  // what the rows were written for; for messages
  std::string_view probe;    // a tensor that every such file has; may begin with "{model}"
  Layout layout = Layout::pytorch;
  bool counters = true;           // batch norms come with num_batches_tracked
  std::span<const NameRow> rows;  // none: our own names
  // What the foreign code cannot build otherwise, where the rows alone do not say it:
  std::string_view needs = {};                       // a node that the graph has
  std::string_view every_block = {};                 // a node that every block has
  std::optional<graph::Activation> activation = {};  // of the stem
  std::int64_t kernel = 0;                           // of every depthwise convolution; 0: any
};

// In the order of preference where a file fits several (ResNets: torchvision's and timm's names are the same).
std::span<const NameScheme> name_schemes();

struct ForeignName {
  std::string ours;  // "stages.1.0.expand.conv.weight"
  std::string foreign;
  tensor::Dims dims;              // ours, PyTorch's order
  std::vector<std::size_t> axes;  // our axis k is the foreign tensor's axis axes[k]
};
tensor::Dims foreign_dims(const ForeignName& name);

struct NameMap {
  std::vector<ForeignName> tensors;   // in graph order
  std::vector<std::string> counters;  // foreign names of num_batches_tracked
};
// Empty if the scheme does not apply. `model` is the value of {model}.
std::optional<NameMap> map_names(const NameScheme& scheme, const graph::Graph& graph, std::string_view model = {});

// The value of {model} in a file that has the probe tensor ("" where the scheme has no {model}); empty if it has none.
std::optional<std::string> find_probe(const NameScheme& scheme, const tensor::Weights& weights);
// The foreign name of the classifier's bias, whose length is the number of classes.
std::string classifier_bias(const NameScheme& scheme, std::string_view model);

// A foreign tensor as float32 in our layout, or ours in the foreign layout. A float32 tensor that needs no permutation
// is returned as a view. The dims must fit.
tensor::Tensor to_ours(const tensor::Tensor& tensor, const ForeignName& name);
tensor::Tensor to_foreign(const tensor::Tensor& tensor, const ForeignName& name);

}  // namespace effnet::formats
