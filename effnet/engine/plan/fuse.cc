#include "effnet/engine/plan/fuse.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "effnet/base/error.h"

namespace effnet::engine {
namespace {

using graph::Activation;
using graph::Graph;
using graph::Node;

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

bool vanishes(const Node& node) {
  return std::holds_alternative<graph::Identity>(node.op) || std::holds_alternative<graph::Dropout>(node.op) ||
         std::holds_alternative<graph::DropPath>(node.op);
}

// Activations that a kernel applies before it stores; a sigmoid is a map of its own.
bool is_epilogue(Activation activation) { return activation != Activation::sigmoid; }

class Fuser {
 public:
  Fuser(const Graph& graph, const PlanOptions& options, const std::vector<NodeId>& keep)
      : graph_(graph),
        options_(options),
        same_(graph.nodes.size()),
        users_(graph.nodes.size()),
        norms_(folded_norms(graph)),
        made_(graph.nodes.size(), false),
        claimed_(graph.nodes.size(), false),
        kept_(graph.nodes.size(), false) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      same_[i] = static_cast<NodeId>(i);
      if (vanishes(graph.nodes[i])) same_[i] = same(graph.nodes[i].inputs[0]);
    }
    share_activations();
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (same_[i] != static_cast<NodeId>(i)) continue;
      for (const NodeId in : graph.nodes[i].inputs) users_[index(same(in))].push_back(static_cast<NodeId>(i));
    }
    for (const NodeId id : keep) kept_[index(same(id))] = true;
    kept_[index(same(graph.logits))] = true;
    made_[0] = true;
  }

  std::vector<Unit> units() {
    for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
      const auto id = static_cast<NodeId>(i);
      if (same_[i] == id && !claimed_[i]) visit(id);
    }
    return std::move(units_);
  }

 private:
  NodeId same(NodeId id) const { return same_[index(id)]; }
  NodeId input(NodeId id, std::size_t i = 0) const { return same(graph_.at(id).inputs[i]); }

  // Cells activate one tensor for each of its readers: one activation serves all.
  void share_activations() {
    std::map<std::pair<NodeId, Activation>, NodeId> first;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const auto* activate = std::get_if<graph::Activate>(&graph_.nodes[i].op);
      if (activate == nullptr) {
        if (vanishes(graph_.nodes[i])) same_[i] = same(graph_.nodes[i].inputs[0]);
        continue;
      }
      same_[i] =
          first.emplace(std::pair(input(static_cast<NodeId>(i)), activate->kind), static_cast<NodeId>(i)).first->second;
    }
  }

  // The one reader of `id`, if there is just one and nobody outside wants to see `id` itself.
  NodeId only_user(NodeId id) const {
    return users_[index(id)].size() == 1 && !kept_[index(id)] ? users_[index(id)][0] : kNone;
  }

  // Takes what follows `unit.out` into the unit: additions (if `additions`) and one activation.
  void extend(Unit& unit, bool additions) {
    while (options_.fuse_epilogues && unit.activation == Activation::none) {
      const NodeId user = only_user(unit.out);
      if (user == kNone) return;
      if (const auto* activate = find_op<graph::Activate>(graph_, user);
          activate != nullptr && is_epilogue(activate->kind)) {
        unit.activation = activate->kind;
      } else if (find_op<graph::Add>(graph_, user) != nullptr && additions && unit.addend == kNone) {
        const NodeId other = input(user, 0) == unit.out ? input(user, 1) : input(user, 0);
        if (!made_[index(other)]) return;
        unit.addend = other;
      } else {
        return;
      }
      claim(unit, user);
    }
  }

  void claim(Unit& unit, NodeId node) {
    claimed_[index(node)] = true;
    unit.out = node;
  }

  void emit(Unit unit) {
    made_[index(unit.out)] = true;
    units_.push_back(std::move(unit));
  }

  // A convolution or linear layer with its batch norm, addition and activation.
  Unit layer_unit(NodeId id, Unit::Kind kind) {
    Unit unit;
    unit.kind = kind;
    unit.layer = unit.out = id;
    unit.inputs = {input(id)};
    if (const NodeId norm = norms_[index(id)]; norm != kNone) claim(unit, norm);
    extend(unit, kind != Unit::Kind::depthwise);
    return unit;
  }

  void visit(NodeId id) {
    const Node& node = graph_.at(id);
    if (std::holds_alternative<graph::Conv>(node.op) || std::holds_alternative<graph::Linear>(node.op)) {
      return is_depthwise(graph_, id) ? visit_depthwise(id) : visit_gemm(id);
    }
    if (std::holds_alternative<graph::GlobalPool>(node.op)) return visit_global_pool(id);
    if (std::holds_alternative<graph::Mul>(node.op)) return visit_scale(id);

    Unit unit;
    unit.out = unit.layer = id;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) unit.inputs.push_back(input(id, i));
    if (std::holds_alternative<graph::Pool>(node.op)) {
      unit.kind = Unit::Kind::pool;
    } else if (std::holds_alternative<graph::Concat>(node.op)) {
      unit.kind = Unit::Kind::concat;
    } else if (std::holds_alternative<graph::Pad>(node.op)) {
      unit.kind = Unit::Kind::pad;
    } else if (const auto* activate = std::get_if<graph::Activate>(&node.op)) {
      unit.activation = activate->kind;
    } else if (std::holds_alternative<graph::Add>(node.op)) {
      unit.layer = kNone;
      unit.addend = unit.inputs[1];
      unit.inputs.pop_back();
      extend(unit, false);
    } else if (std::holds_alternative<graph::BatchNorm>(node.op)) {
      extend(unit, false);
    } else {
      throw internal_error("{}: the engine has no unit for {}", node.name, graph::op_name(node.op));
    }
    emit(std::move(unit));
  }

  void visit_gemm(NodeId id) {
    const Unit::Kind kind = uses_winograd(graph_, id) ? Unit::Kind::winograd : Unit::Kind::gemm;
    Unit unit = layer_unit(id, kind);
    if (const auto scaled = scaled_.find(unit.inputs[0]); scaled != scaled_.end()) {
      unit.scale = input(*scaled, 1);
      unit.inputs[0] = input(*scaled, 0);
    }
    const NodeId user = only_user(unit.out);
    if (options_.fuse_depthwise && user != kNone && is_depthwise(graph_, user) && unit.addend == kNone &&
        unit.scale == kNone && kind == Unit::Kind::gemm) {
      ahead_[user] = std::move(unit);  // runs inside that one
      return;
    }
    emit(std::move(unit));
  }

  void visit_depthwise(NodeId id) {
    Unit unit = layer_unit(id, Unit::Kind::depthwise);
    if (const auto ahead = ahead_.find(id); ahead != ahead_.end()) {
      unit.inputs[0] = ahead->second.inputs[0];
      unit.producer = ahead->second.layer;
      unit.producer_activation = ahead->second.activation;
    }
    if (options_.fuse_pool) {
      for (const NodeId user : users_[index(unit.out)]) {
        if (find_op<graph::GlobalPool>(graph_, user) != nullptr) unit.pooled = user;
      }
      if (unit.pooled != kNone) pooled_.insert(unit.pooled);
    }
    emit(std::move(unit));
  }

  void visit_global_pool(NodeId id) {
    Unit unit;
    unit.kind = Unit::Kind::global_pool;
    unit.out = id;
    unit.inputs = {input(id)};
    if (pooled_.contains(id)) unit.pooled = id;
    emit(std::move(unit));
  }

  void visit_scale(NodeId id) {
    const NodeId user = only_user(id);
    const auto* conv = user == kNone ? nullptr : find_op<graph::Conv>(graph_, user);
    if (options_.fuse_scale && conv != nullptr && conv->kernel == 1 && conv->stride == 1 && conv->groups == 1) {
      scaled_.insert(id);
      return;
    }
    Unit unit;
    unit.out = id;
    unit.inputs = {input(id, 0)};
    unit.scale = input(id, 1);
    emit(std::move(unit));
  }

  const Graph& graph_;
  const PlanOptions& options_;
  std::vector<NodeId> same_;  // by node: the node that holds the same values
  std::vector<std::vector<NodeId>> users_;
  std::vector<NodeId> norms_;
  std::vector<bool> made_, claimed_, kept_;
  std::map<NodeId, Unit> ahead_;  // by depthwise convolution: what makes its input
  std::set<NodeId> scaled_;       // multiplications left to their reader
  std::set<NodeId> pooled_;       // global pools summed where their input is made
  std::vector<Unit> units_;
};

}  // namespace

std::vector<Unit> fuse(const Graph& graph, const PlanOptions& options, const std::vector<NodeId>& keep) {
  return Fuser(graph, options, keep).units();
}

}  // namespace effnet::engine
