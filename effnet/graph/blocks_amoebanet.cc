// The two cells of AmoebaNet-B (Real et al. 2018; official models/official/amoeba_net): each is a table of five
// combinations.
//
// A cell has states h. h0 is the output of the previous block, h1 the output of the block before it, both converted to
// F channels and the same size. Combination i computes h[2+i] = left(h[a]) + right(h[b]); its `state` members are a and
// b. In a reduction cell, only operations that read h0 or h1 have stride 2. The cell's output is the concatenation of
// the states listed in `outputs`: 4F channels (normal) or 2F (reduction).
#include <array>

#include "effnet/base/error.h"
#include "effnet/graph/blocks.h"

namespace effnet::graph {
namespace {

enum class CellOp { conv1x1, identity, max2x2, max3x3, average3x3, separable3x3, separable5x5, bottleneck3x3 };

struct Operand {
  CellOp op;
  std::size_t state;
};
struct Combination {
  Operand left, right;
};
struct Cell {
  std::array<Combination, 5> combinations;
  std::array<std::size_t, 4> outputs;
  std::size_t output_count;
};

constexpr Cell kNormal{{{{{CellOp::conv1x1, 1}, {CellOp::max3x3, 1}},
                         {{CellOp::identity, 1}, {CellOp::separable3x3, 0}},
                         {{CellOp::conv1x1, 1}, {CellOp::separable3x3, 0}},
                         {{CellOp::conv1x1, 2}, {CellOp::identity, 2}},
                         {{CellOp::average3x3, 1}, {CellOp::conv1x1, 5}}}},
                       {0, 3, 4, 6},
                       4};
constexpr Cell kReduction{{{{{CellOp::max2x2, 0}, {CellOp::max3x3, 0}},
                            {{CellOp::identity, 2}, {CellOp::bottleneck3x3, 1}},
                            {{CellOp::separable5x5, 2}, {CellOp::max3x3, 2}},
                            {{CellOp::identity, 3}, {CellOp::separable3x3, 1}},
                            {{CellOp::average3x3, 4}, {CellOp::conv1x1, 3}}}},
                          {5, 6, 0, 0},
                          2};

// Lowers one cell. Each convolution is a sequence of ReLU, convolution and batch norm.
struct CellBuilder {
  BlockContext& block;
  std::int64_t filters = block.stage.channels;

  Conv conv(std::int64_t channels, std::int64_t kernel, std::int64_t stride, std::int64_t groups = 1) const {
    return {
        .out_channels = channels, .kernel = kernel, .stride = stride, .groups = groups, .padding = block.arch.padding};
  }
  NodeId relu_conv_bn(const std::string& part, NodeId in, const Conv& op) {
    return block.conv_bn(part, block.act(part, in), op);
  }

  // Twice: ReLU, depthwise k x k convolution, pointwise convolution, batch norm. Only the first depthwise convolution
  // has the stride.
  NodeId separable(const std::string& part, NodeId in, std::int64_t kernel, std::int64_t stride) {
    for (int round = 0; round < 2; ++round) {
      const std::string name = fmt::format("{}.{}", part, round);
      const std::int64_t channels = block.shape(in).c;
      const NodeId active = block.act(name, in);
      const NodeId depthwise =
          block.conv(name + ".depthwise", active, conv(channels, kernel, round == 0 ? stride : 1, channels));
      in = block.conv_bn(name, depthwise, conv(filters, 1, 1));
    }
    return in;
  }

  // Three convolutions: 1x1 to F/4 channels, 3x3 with the stride, 1x1 to F channels. Each has a ReLU before it and a
  // batch norm after it.
  NodeId bottleneck(const std::string& part, NodeId in, std::int64_t stride) {
    in = relu_conv_bn(part + ".reduce", in, conv(filters / 4, 1, 1));
    in = relu_conv_bn(part + ".spatial", in, conv(filters / 4, 3, stride));
    return relu_conv_bn(part + ".expand", in, conv(filters, 1, 1));
  }

  NodeId pool(const std::string& part, NodeId in, PoolKind kind, std::int64_t kernel, std::int64_t stride) {
    const NodeId pooled = block.builder.add(fmt::format("{}.{}.pool", block.name, part),
                                            Pool{kind, kernel, stride, block.arch.padding, false}, {in});
    return block.shape(pooled).c == filters ? pooled : block.conv_bn(part, pooled, conv(filters, 1, 1));
  }

  NodeId apply(const std::string& part, CellOp op, NodeId in, std::int64_t stride) {
    switch (op) {
      case CellOp::conv1x1:
        return relu_conv_bn(part, in, conv(filters, 1, stride));
      case CellOp::identity:
        if (stride == 1 && block.shape(in).c == filters) return in;
        return relu_conv_bn(part, in, conv(filters, 1, stride));
      case CellOp::max2x2:
        return pool(part, in, PoolKind::max, 2, stride);
      case CellOp::max3x3:
        return pool(part, in, PoolKind::max, 3, stride);
      case CellOp::average3x3:
        return pool(part, in, PoolKind::average, 3, stride);
      case CellOp::separable3x3:
        return separable(part, in, 3, stride);
      case CellOp::separable5x5:
        return separable(part, in, 5, stride);
      case CellOp::bottleneck3x3:
        return bottleneck(part, in, stride);
    }
    throw internal_error("unknown cell operation");
  }

  // State h1: the output before the current one, converted to the current output's size and to F channels. If it is
  // twice as large, two 1x1 convolutions with F/2 channels each read every second pixel of it; the second one's input
  // is shifted by one pixel, so that it reads other pixels.
  NodeId previous() {
    if (!block.previous) return block.current;
    const NodeId before = *block.previous;
    if (block.shape(before).h != block.shape(block.current).h ||
        block.shape(before).w != block.shape(block.current).w) {
      const NodeId active = block.act("previous", before);
      const NodeId even = block.conv("previous.path1.conv", active, conv(filters / 2, 1, 2));
      const NodeId shifted = block.builder.add(block.name + ".previous.path2.shift", Pad{-1, 1, -1, 1}, {active});
      const NodeId odd = block.conv("previous.path2.conv", shifted, conv(filters - filters / 2, 1, 2));
      const NodeId both = block.builder.add(block.name + ".previous.concat", Concat{}, {even, odd});
      return block.builder.add(block.name + ".previous.bn", BatchNorm{block.arch.bn_epsilon, block.arch.bn_momentum},
                               {both});
    }
    return block.shape(before).c == filters ? before : relu_conv_bn("previous", before, conv(filters, 1, 1));
  }
};

// A cell needs F >= 4 channels and two feature maps of the same size, or the earlier one twice as large (factorised
// reduction).
void check_cell(const BlockContext& block) {
  if (block.stage.channels < 4) {
    throw input_error("{}: too few channels for an amoebanet cell (got {}, expected at least 4 for its bottleneck)",
                      block.name, block.stage.channels);
  }
  if (!block.previous) return;
  const Chw before = block.shape(*block.previous);
  const Chw now = block.shape(block.current);
  const auto fits = [](std::int64_t larger, std::int64_t smaller) { return (larger + 1) / 2 == smaller; };
  const bool same = before.h == now.h && before.w == now.w;
  if (!same && !(fits(before.h, now.h) && fits(before.w, now.w))) {
    throw input_error(
        "{}: the two input sizes do not fit an amoebanet cell (got {}x{} and {}x{}, expected equal sizes, or the first "
        "one twice as large)",
        block.name, before.h, before.w, now.h, now.w);
  }
}

NodeId lower_cell(BlockContext& block, const Cell& cell) {
  check_cell(block);
  CellBuilder builder{block};
  std::vector<NodeId> states;
  const NodeId h1 = builder.previous();
  states.push_back(builder.relu_conv_bn("current", block.current, builder.conv(builder.filters, 1, 1)));
  states.push_back(h1);
  for (std::size_t i = 0; i < cell.combinations.size(); ++i) {
    const auto operand = [&](const Operand& which, std::string_view side) {
      return builder.apply(fmt::format("h{}.{}", i + 2, side), which.op, states[which.state],
                           which.state < 2 ? block.stride : 1);
    };
    const NodeId left = operand(cell.combinations[i].left, "left");
    const NodeId right = operand(cell.combinations[i].right, "right");
    states.push_back(block.builder.add(fmt::format("{}.h{}.add", block.name, i + 2), Add{}, {left, right}));
  }
  std::vector<NodeId> outputs;
  for (std::size_t i = 0; i < cell.output_count; ++i) outputs.push_back(states[cell.outputs[i]]);
  return block.builder.add(block.name + ".concat", Concat{}, outputs);
}

}  // namespace

NodeId lower_amoebanet_b_normal(BlockContext& block) { return lower_cell(block, kNormal); }
NodeId lower_amoebanet_b_reduction(BlockContext& block) { return lower_cell(block, kReduction); }

}  // namespace effnet::graph
