#include "effnet/graph/lower.h"

#include "effnet/arch/ranges.h"
#include "effnet/base/error.h"
#include "effnet/graph/blocks.h"

namespace effnet::graph {
namespace {

NodeId lower_stem(Builder& builder, const arch::ArchSpec& spec) {
  const arch::StemSpec& stem = spec.stem;
  NodeId x = builder.add(
      "stem.conv",
      Conv{.out_channels = stem.channels, .kernel = stem.kernel, .stride = stem.stride, .padding = stem.padding}, {0});
  x = builder.add("stem.bn", BatchNorm{spec.bn_epsilon, spec.bn_momentum}, {x});
  if (stem.activation != Activation::none) x = builder.add("stem.act", Activate{stem.activation}, {x});
  if (stem.pool != PoolKind::none) x = builder.add("stem.pool", Pool{stem.pool, 3, 2, stem.padding, false}, {x});
  return x;
}

NodeId lower_head(Builder& builder, const arch::ArchSpec& spec, NodeId x, std::int64_t classes) {
  if (spec.head.channels > 0) {
    x = builder.add("head.conv", Conv{.out_channels = spec.head.channels, .padding = spec.padding}, {x});
    x = builder.add("head.bn", BatchNorm{spec.bn_epsilon, spec.bn_momentum}, {x});
  }
  if (spec.head.activation != Activation::none) x = builder.add("head.act", Activate{spec.head.activation}, {x});
  builder.graph().features = x;
  x = builder.add("head.pool", GlobalPool{}, {x});
  if (spec.dropout > 0) x = builder.add("head.dropout", Dropout{spec.dropout}, {x});
  return builder.add("classifier", Linear{classes}, {x});
}

// Sets graph.reductions (the official endpoints reduction_1 to reduction_5): the last block output before each
// reduction of the size, and the output of the last block.
void set_reductions(Graph& graph, const std::vector<NodeId>& block_outputs) {
  for (std::size_t i = 0; i < block_outputs.size(); ++i) {
    const bool last = i + 1 == block_outputs.size();
    if (last || graph.at(block_outputs[i + 1]).out.h < graph.at(block_outputs[i]).out.h) {
      graph.reductions.push_back(block_outputs[i]);
    }
  }
}

void check_option(std::string_view what, std::int64_t value, const arch::Range<std::int64_t>& range) {
  if (value >= range.low && value <= range.high) return;
  throw input_error("{}: out of range (got {}, expected {} to {})", what, value, range.low, range.high);
}

}  // namespace

Graph lower(const arch::ArchSpec& spec, const LowerOptions& options) {
  arch::check(spec);
  const Size size = options.resolution.value_or(Size{spec.resolution, spec.resolution});
  const std::int64_t classes = options.classes.value_or(spec.classes);
  check_option("height", size.h, arch::kResolution);
  check_option("width", size.w, arch::kResolution);
  check_option("classes", classes, arch::kClasses);
  Builder builder(spec.name, {3, size.h, size.w});

  NodeId current = lower_stem(builder, spec);
  std::optional<NodeId> previous;
  std::vector<NodeId> outputs{current};
  std::int64_t blocks = 0;
  for (const arch::StageSpec& stage : spec.stages) blocks += stage.repeats;

  std::int64_t index = 0;
  for (std::size_t s = 0; s < spec.stages.size(); ++s) {
    const arch::StageSpec& stage = spec.stages[s];
    const BlockKind& kind = block_kind(stage.block);
    for (std::int64_t j = 0; j < stage.repeats; ++j, ++index) {
      BlockContext block{builder,
                         spec,
                         stage,
                         fmt::format("stages.{}.{}", s, j),
                         current,
                         previous,
                         j == 0 ? stage.stride : 1,
                         spec.drop_path * static_cast<double>(index) / static_cast<double>(blocks)};
      const NodeId out = kind.lower(block);
      previous = current;
      current = out;
      outputs.push_back(out);
    }
    const Chw& out = builder.shape(current);
    builder.graph().stages.push_back({out.c, stage.repeats, {out.h, out.w}});
  }
  set_reductions(builder.graph(), outputs);
  builder.graph().logits = lower_head(builder, spec, current, classes);
  return std::move(builder.graph());
}

}  // namespace effnet::graph
