// The blocks of ResNet (He et al. 2016): the activation is after the addition; if the block changes the shape, the
// shortcut is a 1x1 convolution.
#include "effnet/graph/blocks.h"

namespace effnet::graph {

static NodeId add_shortcut(BlockContext& block, NodeId branch) {
  NodeId shortcut = block.current;
  if (block.shape(branch) != block.shape(shortcut)) {
    shortcut =
        block.conv_bn("downsample", shortcut,
                      {.out_channels = block.shape(branch).c, .stride = block.stride, .padding = block.arch.padding});
  }
  if (block.drop_path > 0) branch = block.builder.add(block.name + ".drop_path", DropPath{block.drop_path}, {branch});
  const NodeId sum = block.builder.add(block.name + ".add", Add{}, {branch, shortcut});
  return block.builder.add(block.name + ".act", Activate{block.arch.activation}, {sum});
}

NodeId lower_bottleneck(BlockContext& block) {
  constexpr std::int64_t kExpansion = 4;
  const arch::StageSpec& stage = block.stage;
  const Padding padding = block.arch.padding;
  const std::int64_t first = stage.stride_first ? block.stride : 1;
  NodeId x =
      block.conv_bn_act("conv1", block.current, {.out_channels = stage.channels, .stride = first, .padding = padding});
  x = block.conv_bn_act("conv2", x,
                        {.out_channels = stage.channels,
                         .kernel = stage.kernel,
                         .stride = stage.stride_first ? 1 : block.stride,
                         .padding = padding});
  x = block.conv_bn("conv3", x, {.out_channels = stage.channels * kExpansion, .padding = padding});
  return add_shortcut(block, x);
}

NodeId lower_basic(BlockContext& block) {
  const arch::StageSpec& stage = block.stage;
  const Padding padding = block.arch.padding;
  NodeId x = block.conv_bn_act(
      "conv1", block.current,
      {.out_channels = stage.channels, .kernel = stage.kernel, .stride = block.stride, .padding = padding});
  x = block.conv_bn("conv2", x, {.out_channels = stage.channels, .kernel = stage.kernel, .padding = padding});
  return add_shortcut(block, x);
}

}  // namespace effnet::graph
