// The block kinds: what a stage may be made of. A kind is one row of the table in blocks.cc and one lowering function.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "effnet/arch/spec.h"
#include "effnet/graph/builder.h"

namespace effnet::graph {

// What a lowering function sees of the network around its block.
struct BlockContext {
  Builder& builder;
  const arch::ArchSpec& arch;
  const arch::StageSpec& stage;
  std::string name;                // "stages.2.1": the prefix of its nodes
  NodeId current;                  // the output so far
  std::optional<NodeId> previous;  // the output before that; empty for the first block (cells need it)
  std::int64_t stride;             // the stage's stride for its first block, else 1
  double drop_path;                // rate for this block's branch

  const Chw& shape(NodeId id) const { return builder.shape(id); }

  // Nodes named "<name>.<part>.<conv|bn|act>"; `in` empty means `current`.
  NodeId conv(std::string_view part, NodeId in, const Conv& op);
  NodeId conv_bn(std::string_view part, NodeId in, Conv op);
  NodeId conv_bn_act(std::string_view part, NodeId in, Conv op);
  NodeId act(std::string_view part, NodeId in);
  // drop_path and the addition, or `branch` alone if the shapes differ or the stage has no skip.
  NodeId residual(NodeId branch);
};

struct BlockKind {
  std::string_view name;
  NodeId (*lower)(BlockContext& block);
};
std::span<const BlockKind> block_kinds();
const BlockKind& block_kind(std::string_view name);  // Error(input) with the nearest name

NodeId lower_mbconv(BlockContext& block);
NodeId lower_depthwise_separable(BlockContext& block);
NodeId lower_bottleneck(BlockContext& block);
NodeId lower_basic(BlockContext& block);
NodeId lower_amoebanet_b_normal(BlockContext& block);
NodeId lower_amoebanet_b_reduction(BlockContext& block);

}  // namespace effnet::graph
