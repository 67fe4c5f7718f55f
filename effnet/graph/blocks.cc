#include "effnet/graph/blocks.h"

#include <array>

#include "effnet/base/error.h"
#include "effnet/base/names.h"

namespace effnet::graph {
namespace {

constexpr std::array kKinds{
    BlockKind{"mbconv", lower_mbconv},
    BlockKind{"depthwise_separable", lower_depthwise_separable},
    BlockKind{"bottleneck", lower_bottleneck},
    BlockKind{"basic", lower_basic},
    BlockKind{"amoebanet_b_normal", lower_amoebanet_b_normal},
    BlockKind{"amoebanet_b_reduction", lower_amoebanet_b_reduction},
};

}  // namespace

std::span<const BlockKind> block_kinds() { return kKinds; }

const BlockKind& block_kind(std::string_view name) {
  return row_named(kKinds, name, ErrorCode::input, "unknown block kind");
}

NodeId BlockContext::conv(std::string_view part, NodeId in, const Conv& op) {
  return builder.add(fmt::format("{}.{}", name, part), op, {in});
}

NodeId BlockContext::conv_bn(std::string_view part, NodeId in, Conv op) {
  const NodeId out = builder.add(fmt::format("{}.{}.conv", name, part), op, {in});
  return builder.add(fmt::format("{}.{}.bn", name, part), BatchNorm{arch.bn_epsilon, arch.bn_momentum}, {out});
}

NodeId BlockContext::conv_bn_act(std::string_view part, NodeId in, Conv op) { return act(part, conv_bn(part, in, op)); }

NodeId BlockContext::act(std::string_view part, NodeId in) {
  return builder.add(fmt::format("{}.{}.act", name, part), Activate{arch.activation}, {in});
}

NodeId BlockContext::residual(NodeId branch) {
  if (!stage.skip || stride != 1 || shape(branch) != shape(current)) return branch;
  if (drop_path > 0) branch = builder.add(name + ".drop_path", DropPath{drop_path}, {branch});
  return builder.add(name + ".add", Add{}, {branch, current});
}

}  // namespace effnet::graph
