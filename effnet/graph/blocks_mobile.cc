// Blocks with a depthwise convolution: MBConv (EfficientNet, MnasNet, MobileNetV2) and the depthwise separable
// convolution of MobileNetV1.
#include "effnet/arch/squeeze.h"
#include "effnet/graph/blocks.h"

namespace effnet::graph {

// Squeeze-and-excitation.
static NodeId squeeze_excite(BlockContext& block, NodeId in) {
  const std::int64_t squeezed = arch::squeezed_channels(block.stage.se, block.shape(block.current).c);
  const NodeId mean = block.builder.add(block.name + ".se.pool", GlobalPool{}, {in});
  const NodeId reduced =
      block.conv("se.reduce", mean, {.out_channels = squeezed, .padding = block.arch.padding, .bias = true});
  const NodeId active = block.act("se", reduced);
  const NodeId gate =
      block.conv("se.expand", active, {.out_channels = block.shape(in).c, .padding = block.arch.padding, .bias = true});
  const NodeId scale = block.builder.add(block.name + ".se.gate", Activate{Activation::sigmoid}, {gate});
  return block.builder.add(block.name + ".se.scale", Mul{}, {in, scale});
}

NodeId lower_mbconv(BlockContext& block) {
  const std::int64_t expanded = block.shape(block.current).c * block.stage.expand;
  const Padding padding = block.arch.padding;
  NodeId x = block.current;
  if (block.stage.expand != 1) x = block.conv_bn_act("expand", x, {.out_channels = expanded, .padding = padding});
  x = block.conv_bn_act("depthwise", x,
                        {.out_channels = expanded,
                         .kernel = block.stage.kernel,
                         .stride = block.stride,
                         .groups = expanded,
                         .padding = padding});
  if (block.stage.se > 0) x = squeeze_excite(block, x);
  x = block.conv_bn("project", x, {.out_channels = block.stage.channels, .padding = padding});
  return block.residual(x);
}

NodeId lower_depthwise_separable(BlockContext& block) {
  const std::int64_t channels = block.shape(block.current).c;
  const Padding padding = block.arch.padding;
  const NodeId x = block.conv_bn_act("depthwise", block.current,
                                     {.out_channels = channels,
                                      .kernel = block.stage.kernel,
                                      .stride = block.stride,
                                      .groups = channels,
                                      .padding = padding});
  return block.conv_bn_act("project", x, {.out_channels = block.stage.channels, .padding = padding});
}

}  // namespace effnet::graph
