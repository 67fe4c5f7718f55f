#include "effnet/formats/names.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "effnet/base/error.h"

namespace effnet::formats {
namespace {

constexpr std::string_view kModel = "{model}";
constexpr std::string_view kAverage = "/ExponentialMovingAverage";

// TensorFlow's role names for batch norms and for other nodes.
struct RoleNames {
  std::string_view ours, batch_norm, other;
};
constexpr RoleNames kTensorFlowRoles[] = {{"weight", "gamma", "kernel"},
                                          {"bias", "beta", "bias"},
                                          {"running_mean", "moving_mean", ""},
                                          {"running_var", "moving_variance", ""}};

std::string_view role_name(Layout layout, bool batch_norm, std::string_view ours) {
  if (layout == Layout::pytorch) return ours;
  for (const RoleNames& row : kTensorFlowRoles) {
    if (row.ours == ours) return batch_norm ? row.batch_norm : row.other;
  }
  throw internal_error("no TensorFlow name for the role {}", ours);
}

// The block to which a node belongs: "stages.2.1.se.reduce" has s = 2, j = 1. A node outside the stages has none.
struct BlockPosition {
  std::int64_t s = 0, j = 0;
  std::string_view block;  // "stages.2.1"
};

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<BlockPosition> block_position(std::string_view node) {
  constexpr std::string_view kStages = "stages.";
  std::string_view rest = node;
  if (!rest.starts_with(kStages)) return std::nullopt;
  rest.remove_prefix(kStages.size());
  BlockPosition position;
  const auto s = take_number(rest);
  if (!s || !rest.starts_with('.')) return std::nullopt;
  rest.remove_prefix(1);
  const auto j = take_number(rest);
  if (!j || !rest.starts_with('.')) return std::nullopt;
  position.s = *s;
  position.j = *j;
  position.block = node.substr(0, node.size() - rest.size());
  return position;
}

using Values = std::map<std::string_view, std::string>;  // placeholder -> value; numbers as decimal digits

// Replaces the placeholders {name} and {name+number} of a pattern.
std::string expand(std::string_view pattern, const Values& values) {
  std::string out;
  while (!pattern.empty()) {
    const std::size_t open = std::min(pattern.find('{'), pattern.size());
    out += pattern.substr(0, open);
    pattern.remove_prefix(open);
    if (pattern.empty()) break;
    const std::size_t close = pattern.find('}');
    EFFNET_CHECK(close != std::string_view::npos);
    std::string_view key = pattern.substr(1, close - 1);
    pattern.remove_prefix(close + 1);
    std::int64_t plus = 0;
    if (const std::size_t sign = key.find('+'); sign != std::string_view::npos) {
      plus = std::stoll(std::string(key.substr(sign + 1)));
      key = key.substr(0, sign);
    }
    const auto found = values.find(key);
    EFFNET_CHECK(found != values.end());
    out += plus == 0 ? found->second : std::to_string(std::stoll(found->second) + plus);
  }
  return out;
}

// The nodes and blocks of a graph, for lookups by name.
struct GraphIndex {
  std::set<std::string_view> nodes;
  std::map<std::string_view, std::int64_t> blocks;  // "stages.2.1" -> index of the block inside the network
  std::int64_t stages = 0;

  explicit GraphIndex(const graph::Graph& graph) : stages(static_cast<std::int64_t>(graph.stages.size())) {
    for (const graph::Node& node : graph.nodes) {
      nodes.insert(node.name);
      if (const auto position = block_position(node.name)) {
        blocks.emplace(position->block, static_cast<std::int64_t>(blocks.size()));
      }
    }
  }
  bool has(std::string_view block, std::string_view part) const {
    return nodes.contains(fmt::format("{}.{}", block, part));
  }
};

bool buildable(const NameScheme& scheme, const graph::Graph& graph, const GraphIndex& graph_index) {
  if (!scheme.needs.empty() && !graph_index.nodes.contains(scheme.needs)) return false;
  if (!scheme.every_block.empty()) {
    for (const auto& [block, index] : graph_index.blocks) {
      if (!graph_index.has(block, scheme.every_block)) return false;
    }
  }
  for (const graph::Node& node : graph.nodes) {
    const auto* conv = std::get_if<graph::Conv>(&node.op);
    if (scheme.kernel != 0 && conv && conv->groups > 1 && conv->kernel != scheme.kernel) return false;
    const auto* active = std::get_if<graph::Activate>(&node.op);
    if (scheme.activation && active && node.name == "stem.act" && active->kind != *scheme.activation) return false;
  }
  return true;
}

bool row_matches(const NameRow& row, std::string_view node, const std::optional<BlockPosition>& position, bool full) {
  constexpr std::string_view kInBlock = "stages.{s}.{j}.";
  if (position && row.blocks != Blocks::any && full != (row.blocks == Blocks::full)) return false;
  if (!row.node.starts_with(kInBlock)) return row.node == node;
  return position && row.node.substr(kInBlock.size()) == node.substr(position->block.size() + 1);
}

// Returns ForeignName::axes: effnet's axis k is the foreign axis axes[k] (docs/reference/checkpoints.md, section 1,
// "Layout").
std::vector<std::size_t> axes_of(Layout layout, const graph::Graph& graph, const graph::Node& node, std::size_t rank) {
  if (layout == Layout::tensorflow && rank == 4) {
    const auto* conv = std::get_if<graph::Conv>(&node.op);
    const bool depthwise =
        conv && conv->groups > 1 && conv->groups == graph.in(node).c && conv->groups == conv->out_channels;
    if (depthwise) return {2, 3, 0, 1};
    return {3, 2, 0, 1};
  }
  if (layout == Layout::tensorflow && rank == 2) return {1, 0};
  std::vector<std::size_t> identity(rank);
  for (std::size_t k = 0; k < rank; ++k) identity[k] = k;
  return identity;
}

// Returns the permuted tensor, row-major: axis k of the result is axis axes[k] of the input.
std::vector<float> permuted(const std::vector<float>& in, const tensor::Dims& in_dims,
                            const std::vector<std::size_t>& axes) {
  const std::size_t rank = in_dims.size();
  std::vector<std::size_t> in_strides(rank, 1);
  for (std::size_t k = rank; k-- > 1;) in_strides[k - 1] = in_strides[k] * static_cast<std::size_t>(in_dims[k]);
  std::vector<std::size_t> at(rank, 0);
  std::vector<float> out(in.size());
  std::size_t from = 0;
  for (float& value : out) {
    value = in[from];
    for (std::size_t k = rank; k-- > 0;) {
      const std::size_t stride = in_strides[axes[k]];
      const auto dim = static_cast<std::size_t>(in_dims[axes[k]]);
      from += stride;
      if (++at[k] < dim) break;
      at[k] = 0;
      from -= stride * dim;
    }
  }
  return out;
}

bool is_identity(const std::vector<std::size_t>& axes) { return std::is_sorted(axes.begin(), axes.end()); }

}  // namespace

tensor::Dims foreign_dims(const ForeignName& name) {
  tensor::Dims dims(name.dims.size());
  for (std::size_t k = 0; k < dims.size(); ++k) dims[name.axes[k]] = name.dims[k];
  return dims;
}

std::optional<NameMap> map_names(const NameScheme& scheme, const graph::Graph& graph, std::string_view model) {
  const GraphIndex graph_index(graph);
  if (!buildable(scheme, graph, graph_index)) return std::nullopt;
  NameMap map;
  std::set<std::string> seen;
  Values values{{"S", std::to_string(graph_index.stages)},
                {"N", std::to_string(graph_index.blocks.size())},
                {"model", std::string(model)}};
  for (const graph::Node& node : graph.nodes) {
    const std::vector<graph::Parameter> parameters = graph::parameters(graph, node);
    if (parameters.empty()) continue;
    const bool batch_norm = std::holds_alternative<graph::BatchNorm>(node.op);

    std::string pattern = node.name + ".{role}";
    if (!scheme.rows.empty()) {
      const std::optional<BlockPosition> position = block_position(node.name);
      if (position) {
        values["s"] = std::to_string(position->s);
        values["j"] = std::to_string(position->j);
        values["i"] = std::to_string(graph_index.blocks.at(position->block));
      }
      const bool full = position && graph_index.has(position->block, "expand.conv");
      const NameRow* match = nullptr;
      for (const NameRow& row : scheme.rows) {
        if (!row_matches(row, node.name, position, full)) continue;
        if (match) return std::nullopt;  // two rows match one node
        match = &row;
      }
      if (!match) return std::nullopt;
      pattern = match->foreign;
    }
    for (const graph::Parameter& parameter : parameters) {
      const std::string_view role = std::string_view(parameter.name).substr(node.name.size() + 1);
      values["role"] = role_name(scheme.layout, batch_norm, role);
      map.tensors.push_back({parameter.name, expand(pattern, values), parameter.dims,
                             axes_of(scheme.layout, graph, node, parameter.dims.size())});
      if (!seen.insert(map.tensors.back().foreign).second) return std::nullopt;  // two tensors get one name
    }
    if (batch_norm && scheme.counters) {
      values["role"] = "num_batches_tracked";
      map.counters.push_back(expand(pattern, values));
    }
  }
  return map;
}

std::optional<std::string> find_probe(const NameScheme& scheme, const tensor::Weights& weights) {
  if (!scheme.probe.starts_with(kModel)) {
    if (weights.find(scheme.probe)) return std::string();
    return std::nullopt;
  }
  const std::string_view suffix = scheme.probe.substr(kModel.size());
  for (const auto& [name, tensor] : weights.tensors) {
    std::string_view base = name;
    if (base.ends_with(kAverage)) base.remove_suffix(kAverage.size());
    if (base.ends_with(suffix)) return std::string(base.substr(0, base.size() - suffix.size()));
  }
  return std::nullopt;
}

std::string classifier_bias(const NameScheme& scheme, std::string_view model) {
  std::string_view pattern = "classifier.{role}";
  for (const NameRow& row : scheme.rows) {
    if (row.node == "classifier") pattern = row.foreign;
  }
  return expand(pattern,
                {{"model", std::string(model)}, {"role", std::string(role_name(scheme.layout, false, "bias"))}});
}

tensor::Tensor to_ours(const tensor::Tensor& tensor, const ForeignName& name) {
  EFFNET_CHECK(tensor.dims == foreign_dims(name));
  if (is_identity(name.axes))
    return tensor.dtype == tensor::Dtype::f32 ? tensor : tensor::make_tensor(name.dims, tensor::to_floats(tensor));
  return tensor::make_tensor(name.dims, permuted(tensor::to_floats(tensor), tensor.dims, name.axes));
}

tensor::Tensor to_foreign(const tensor::Tensor& tensor, const ForeignName& name) {
  EFFNET_CHECK(tensor.dims == name.dims);
  if (is_identity(name.axes)) return tensor;
  std::vector<std::size_t> back(name.axes.size());
  for (std::size_t k = 0; k < back.size(); ++k) back[name.axes[k]] = k;
  return tensor::make_tensor(foreign_dims(name), permuted(tensor::to_floats(tensor), name.dims, back));
}

}  // namespace effnet::formats
