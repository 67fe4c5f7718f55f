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

bool is_identity_at_inference(const Node& node) {
  return std::holds_alternative<graph::Identity>(node.op) || std::holds_alternative<graph::Dropout>(node.op) ||
         std::holds_alternative<graph::DropPath>(node.op);
}

// Returns true if kernels can apply this activation before they store a tile. A sigmoid is always a separate map step.
bool is_epilogue(Activation activation) { return activation != Activation::sigmoid; }

class Fuser {
 public:
  Fuser(const Graph& graph, const PlanOptions& options, const std::vector<NodeId>& keep)
      : graph_(graph),
        options_(options),
        alias_(graph.nodes.size()),
        users_(graph.nodes.size()),
        norms_(folded_norms(graph)),
        computed_(graph.nodes.size(), false),
        fused_(graph.nodes.size(), false),
        kept_(graph.nodes.size(), false) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      alias_[i] = static_cast<NodeId>(i);
      if (is_identity_at_inference(graph.nodes[i])) alias_[i] = alias(graph.nodes[i].inputs[0]);
    }
    share_activations();
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (alias_[i] != static_cast<NodeId>(i)) continue;
      for (const NodeId in : graph.nodes[i].inputs) users_[index(alias(in))].push_back(static_cast<NodeId>(i));
    }
    for (const NodeId id : keep) kept_[index(alias(id))] = true;
    kept_[index(alias(graph.logits))] = true;
    computed_[0] = true;
  }

  std::vector<FusedOp> ops() {
    for (std::size_t i = 1; i < graph_.nodes.size(); ++i) {
      const auto id = static_cast<NodeId>(i);
      if (alias_[i] == id && !fused_[i]) visit(id);
    }
    return std::move(ops_);
  }

 private:
  NodeId alias(NodeId id) const { return alias_[index(id)]; }
  NodeId input(NodeId id, std::size_t i = 0) const { return alias(graph_.at(id).inputs[i]); }

  // AmoebaNet cells apply the same activation once per reader of a tensor. One of these nodes is computed and serves
  // all readers.
  void share_activations() {
    std::map<std::pair<NodeId, Activation>, NodeId> first;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const auto* activate = std::get_if<graph::Activate>(&graph_.nodes[i].op);
      if (activate == nullptr) {
        if (is_identity_at_inference(graph_.nodes[i])) alias_[i] = alias(graph_.nodes[i].inputs[0]);
        continue;
      }
      alias_[i] =
          first.emplace(std::pair(input(static_cast<NodeId>(i)), activate->kind), static_cast<NodeId>(i)).first->second;
    }
  }

  // Returns the only reader of `id`, or kNone if there are several readers, or none, or if `id` itself must be kept.
  NodeId only_user(NodeId id) const {
    return users_[index(id)].size() == 1 && !kept_[index(id)] ? users_[index(id)][0] : kNone;
  }

  // Fuses the nodes after `op.out` into the op: additions (if `additions`), then one activation.
  void fuse_epilogue(FusedOp& op, bool additions) {
    while (options_.fuse_epilogues && op.activation == Activation::none) {
      const NodeId user = only_user(op.out);
      if (user == kNone) return;
      if (const auto* activate = find_op<graph::Activate>(graph_, user);
          activate != nullptr && is_epilogue(activate->kind)) {
        op.activation = activate->kind;
      } else if (find_op<graph::Add>(graph_, user) != nullptr && additions && op.addend == kNone) {
        const NodeId other = input(user, 0) == op.out ? input(user, 1) : input(user, 0);
        if (!computed_[index(other)]) return;
        op.addend = other;
      } else {
        return;
      }
      absorb(op, user);
    }
  }

  void absorb(FusedOp& op, NodeId node) {
    fused_[index(node)] = true;
    op.out = node;
  }

  void emit(FusedOp op) {
    computed_[index(op.out)] = true;
    ops_.push_back(std::move(op));
  }

  // Returns the op of a convolution or linear layer with its batch norm, addition and activation.
  FusedOp layer_op(NodeId id, FusedOp::Kind kind) {
    FusedOp op;
    op.kind = kind;
    op.layer = op.out = id;
    op.inputs = {input(id)};
    if (const NodeId norm = norms_[index(id)]; norm != kNone) absorb(op, norm);
    fuse_epilogue(op, kind != FusedOp::Kind::depthwise);
    return op;
  }

  void visit(NodeId id) {
    const Node& node = graph_.at(id);
    if (std::holds_alternative<graph::Conv>(node.op) || std::holds_alternative<graph::Linear>(node.op)) {
      return is_depthwise(graph_, id) ? visit_depthwise(id) : visit_gemm(id);
    }
    if (std::holds_alternative<graph::GlobalPool>(node.op)) return visit_global_pool(id);
    if (std::holds_alternative<graph::Mul>(node.op)) return visit_scale(id);

    FusedOp op;
    op.out = op.layer = id;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) op.inputs.push_back(input(id, i));
    if (std::holds_alternative<graph::Pool>(node.op)) {
      op.kind = FusedOp::Kind::pool;
    } else if (std::holds_alternative<graph::Concat>(node.op)) {
      op.kind = FusedOp::Kind::concat;
    } else if (std::holds_alternative<graph::Pad>(node.op)) {
      op.kind = FusedOp::Kind::pad;
    } else if (const auto* activate = std::get_if<graph::Activate>(&node.op)) {
      op.activation = activate->kind;
    } else if (std::holds_alternative<graph::Add>(node.op)) {
      op.layer = kNone;
      op.addend = op.inputs[1];
      op.inputs.pop_back();
      fuse_epilogue(op, false);
    } else if (std::holds_alternative<graph::BatchNorm>(node.op)) {
      fuse_epilogue(op, false);
    } else {
      throw internal_error("{}: the engine cannot run the op {}", node.name, graph::op_name(node.op));
    }
    emit(std::move(op));
  }

  void visit_gemm(NodeId id) {
    const FusedOp::Kind kind = uses_winograd(graph_, id) ? FusedOp::Kind::winograd : FusedOp::Kind::gemm;
    FusedOp op = layer_op(id, kind);
    if (const auto scaled = scaled_.find(op.inputs[0]); scaled != scaled_.end()) {
      op.scale = input(*scaled, 1);
      op.inputs[0] = input(*scaled, 0);
    }
    const NodeId user = only_user(op.out);
    if (options_.fuse_depthwise && user != kNone && is_depthwise(graph_, user) && op.addend == kNone &&
        op.scale == kNone && kind == FusedOp::Kind::gemm) {
      producers_[user] = std::move(op);  // runs inside the depthwise convolution
      return;
    }
    emit(std::move(op));
  }

  void visit_depthwise(NodeId id) {
    FusedOp op = layer_op(id, FusedOp::Kind::depthwise);
    if (const auto producer = producers_.find(id); producer != producers_.end()) {
      op.inputs[0] = producer->second.inputs[0];
      op.producer = producer->second.layer;
      op.producer_activation = producer->second.activation;
    }
    if (options_.fuse_pool) {
      for (const NodeId user : users_[index(op.out)]) {
        if (find_op<graph::GlobalPool>(graph_, user) != nullptr) op.pooled = user;
      }
      if (op.pooled != kNone) pooled_.insert(op.pooled);
    }
    emit(std::move(op));
  }

  void visit_global_pool(NodeId id) {
    FusedOp op;
    op.kind = FusedOp::Kind::global_pool;
    op.out = id;
    op.inputs = {input(id)};
    if (pooled_.contains(id)) op.pooled = id;
    emit(std::move(op));
  }

  void visit_scale(NodeId id) {
    const NodeId user = only_user(id);
    const auto* conv = user == kNone ? nullptr : find_op<graph::Conv>(graph_, user);
    if (options_.fuse_scale && conv != nullptr && conv->kernel == 1 && conv->stride == 1 && conv->groups == 1) {
      scaled_.insert(id);
      return;
    }
    FusedOp op;
    op.out = id;
    op.inputs = {input(id, 0)};
    op.scale = input(id, 1);
    emit(std::move(op));
  }

  const Graph& graph_;
  const PlanOptions& options_;
  std::vector<NodeId> alias_;  // by node: the node that has the same values
  std::vector<std::vector<NodeId>> users_;
  std::vector<NodeId> norms_;
  std::vector<bool> computed_, fused_, kept_;
  std::map<NodeId, FusedOp> producers_;  // by depthwise convolution: the op that computes its input
  std::set<NodeId> scaled_;              // channel scales that their reader applies
  std::set<NodeId> pooled_;              // global pools whose sums the step before them computes
  std::vector<FusedOp> ops_;
};

}  // namespace

std::vector<FusedOp> fuse(const Graph& graph, const PlanOptions& options, const std::vector<NodeId>& keep) {
  return Fuser(graph, options, keep).ops();
}

}  // namespace effnet::engine
