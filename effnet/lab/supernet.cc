#include "effnet/lab/supernet.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/graph/lower.h"
#include "effnet/train/step/depth.h"

namespace effnet::lab {
namespace {

using arch::StageSpec;
using graph::NodeId;

search::Point first_point(const search::Space& space) { return search::Point(space.choices.size(), 0); }

// The number of the stage that a node belongs to; none for stem, head and classifier.
std::optional<std::size_t> stage_of(std::string_view name) {
  const std::string_view block = train::block_of(name);  // "stages.2.1", or "stem"
  const std::size_t dot = block.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::size_t stage = 0;
  std::from_chars(block.data() + dot + 1, block.data() + block.size(), stage);
  return stage;
}

// Stages with the largest blocks that stage `number` can have: one for each kind of block and number of channels. More
// repeats, a larger kernel, expansion or squeeze-and-excitation only add to the tensors of a stage, so they are all at
// their maximum. Kind and channels are different: they decide which tensors exist, such as a shortcut's convolution.
std::vector<StageSpec> largest_stages(const search::Space& space, std::size_t number) {
  // Each choice sets one member of the stage, so changing one choice at a time shows all values of each member.
  search::Point point = first_point(space);
  std::vector<StageSpec> seen{search::network_of(space, point).stages[number]};
  for (std::size_t choice = 0; choice < space.choices.size(); ++choice) {
    if (space.choices[choice].stage != number) continue;
    for (int option = 1; option < std::ssize(space.choices[choice].options); ++option) {
      point[choice] = option;
      seen.push_back(search::network_of(space, point).stages[number]);
    }
    point[choice] = 0;
  }
  StageSpec largest = seen.front();
  std::set<std::pair<std::string, std::int64_t>> shapes;
  for (const StageSpec& one : seen) {
    largest.repeats = std::max(largest.repeats, one.repeats);
    largest.kernel = std::max(largest.kernel, one.kernel);
    largest.expand = std::max(largest.expand, one.expand);
    largest.se = std::max(largest.se, one.se);
    shapes.emplace(one.block, one.channels);
  }
  std::vector<StageSpec> result;
  result.reserve(shapes.size());
  for (const auto& [block, channels] : shapes) {
    result.push_back(largest);
    result.back().block = block;
    result.back().channels = channels;
  }
  return result;
}

// Collects nodes. Nodes with the same name become one node with the larger of each size.
class NodeUnion {
 public:
  NodeUnion(std::string name, const Chw& image) {
    graph_.name = std::move(name);
    graph_.nodes.push_back({"input", graph::Input{}, {}, image});
  }

  // `in`: the input channels of the node.
  void add(const std::string& name, const graph::Node& node, std::int64_t in) {
    const auto [found, is_new] = ids_.try_emplace(name, static_cast<NodeId>(graph_.nodes.size() + 1));
    if (is_new) {
      // A node's parameters depend on its input channels, so each node gets an input of its own.
      graph_.nodes.push_back({name + ".in", graph::Identity{}, {0}, {in, 1, 1}});
      graph_.nodes.push_back({name, node.op, {found->second - 1}, {node.out.c, 1, 1}});
      return;
    }
    graph::Node& known = at(found->second);
    known.out.c = std::max(known.out.c, node.out.c);
    at(found->second - 1).out.c = std::max(at(found->second - 1).out.c, in);
    if (auto* conv = std::get_if<graph::Conv>(&known.op)) {
      const auto& other = std::get<graph::Conv>(node.op);
      conv->out_channels = std::max(conv->out_channels, other.out_channels);
      conv->kernel = std::max(conv->kernel, other.kernel);
      conv->groups = std::max(conv->groups, other.groups);  // depthwise: the channels, which are at their maximum too
    }
  }

  graph::Graph take() && {
    graph_.logits = ids_.at("classifier");
    return std::move(graph_);
  }

 private:
  graph::Node& at(NodeId id) { return graph_.nodes[static_cast<std::size_t>(id)]; }

  graph::Graph graph_;
  std::map<std::string, NodeId> ids_;
};

}  // namespace

graph::Graph supernet_graph(const search::Space& space) {
  const arch::ArchSpec first = search::network_of(space, first_point(space));
  const std::size_t last = first.stages.size() - 1;
  NodeUnion all(space.name, {3, first.resolution, first.resolution});
  // The sizes of a stage's tensors depend on its own options and on the channels of the stage before it.
  std::vector<StageSpec> before{first.stages[0]};  // not used for the first stage, whose input is the stem
  for (std::size_t stage = 0; stage <= last; ++stage) {
    const std::vector<StageSpec> own = largest_stages(space, stage);
    for (const StageSpec& input : before) {
      for (const StageSpec& one : own) {
        arch::ArchSpec spec = first;
        if (stage > 0) spec.stages[stage - 1] = input;
        spec.stages[stage] = one;
        const graph::Graph graph = graph::lower(spec);
        std::size_t others = 0;  // the stage with which other nodes are added: the first (stem) or the last (head)
        for (const graph::Node& node : graph.nodes) {
          const std::optional<std::size_t> place = stage_of(node.name);
          if (place) others = last;
          if (graph::parameters(graph, node).empty() || place.value_or(others) != stage) continue;
          all.add(supernet_name(spec, node.name), node, graph.in(node).c);
        }
      }
    }
    before = own;
  }
  return std::move(all).take();
}

std::string supernet_name(const arch::ArchSpec& child, std::string_view parameter) {
  const std::optional<std::size_t> stage = stage_of(parameter);
  if (!stage) return std::string(parameter);
  const std::string_view block = train::block_of(parameter);
  return fmt::format("{}.{}{}", block, child.stages.at(*stage).block, parameter.substr(block.size()));
}

torch::Tensor ChildSource::at(const graph::Parameter& parameter) const {
  torch::Tensor slice = store_->at({.name = supernet_name(child_, parameter.name), .dims = {}, .kind = parameter.kind});
  EFFNET_CHECK(slice.dim() == std::ssize(parameter.dims));
  for (std::int64_t axis = 0; axis < slice.dim(); ++axis) {
    const std::int64_t size = parameter.dims[static_cast<std::size_t>(axis)], all = slice.size(axis);
    EFFNET_CHECK(size <= all);
    const bool channels = axis < 2;  // (out, in, height, width)
    if (size < all) slice = slice.narrow(axis, channels ? 0 : (all - size) / 2, size);
  }
  return slice;
}

tensor::Weights child_weights(const arch::ArchSpec& child, const std::shared_ptr<const nn::ParameterStore>& store) {
  const ChildSource source(child, store);
  tensor::Weights weights;
  for (const graph::Parameter& parameter : graph::parameters(graph::lower(child))) {
    if (parameter.statistic()) {
      const float value = parameter.kind == graph::ParameterKind::norm_variance ? 1.0F : 0.0F;
      std::vector<float> values(static_cast<std::size_t>(parameter.numel()), value);
      weights.tensors.emplace(parameter.name, tensor::make_tensor(parameter.dims, std::move(values)));
    } else {
      weights.tensors.emplace(parameter.name, nn::float_copy(source.at(parameter)));
    }
  }
  return weights;
}

}  // namespace effnet::lab
