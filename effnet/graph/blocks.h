// The kinds of blocks of which a stage consists. A kind is one row of the table in blocks.cc and one lowering function.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/graph/builder.h"

namespace effnet::graph {

// A block and its surroundings, as the lowering functions need them.
struct BlockContext {
  Builder& builder;
  const arch::ArchSpec& arch;
  const arch::StageSpec& stage;
  std::string name;                // "stages.2.1": the prefix of the names of its nodes
  NodeId current;                  // output of the previous block: this block's input
  std::optional<NodeId> previous;  // input of the previous block (AmoebaNet reads it too); empty for the first block
  std::int64_t stride;             // the stage's stride for its first block, else 1
  double drop_path;                // probability with which training drops this block's branch

  const Chw& shape(NodeId id) const { return builder.shape(id); }

  // Each function adds nodes and returns the last one. conv_bn_act() adds "<name>.<part>.conv", "<name>.<part>.bn" and
  // "<name>.<part>.act"; conv_bn() adds the first two, act() only the third. conv() adds "<name>.<part>".
  NodeId conv(std::string_view part, NodeId in, const Conv& op);
  NodeId conv_bn(std::string_view part, NodeId in, Conv op);
  NodeId conv_bn_act(std::string_view part, NodeId in, Conv op);
  NodeId act(std::string_view part, NodeId in);
  // Adds drop_path and the addition of `current` to `branch`. Returns `branch` itself if the stage has no skip, the
  // stride is not 1 or the shapes differ.
  NodeId residual(NodeId branch);
};

struct BlockKind {
  std::string_view name;
  NodeId (*lower)(BlockContext& block);
};
std::span<const BlockKind> block_kinds();
const BlockKind& block_kind(std::string_view name);  // throws Error(input) with the nearest name

NodeId lower_mbconv(BlockContext& block);
NodeId lower_depthwise_separable(BlockContext& block);
NodeId lower_bottleneck(BlockContext& block);
NodeId lower_basic(BlockContext& block);
NodeId lower_amoebanet_b_normal(BlockContext& block);
NodeId lower_amoebanet_b_reduction(BlockContext& block);

}  // namespace effnet::graph
