#include "effnet/engine/plan/plan.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/engine/steps/depthwise.h"
#include "effnet/engine/steps/elementwise.h"
#include "effnet/engine/steps/gemm.h"
#include "effnet/engine/steps/winograd.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/costs.h"

namespace effnet::engine {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::int64_t kValueBytes = sizeof(float);  // of activations

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

class Planner {
 public:
  Planner(const Graph& graph, const PackedWeights& weights, std::int64_t batch, const PlanOptions& options,
          const std::vector<NodeId>& keep)
      : graph_(graph),
        set_(kernels::kernel_set(weights.target().isa)),
        weights_(weights),
        batch_(batch),
        keep_(keep),
        units_(fuse(graph, options, keep)),
        buffer_of_(graph.nodes.size(), kNoBuffer),
        last_unit_(graph.nodes.size(), -1) {
    for (std::size_t u = 0; u < units_.size(); ++u) {
      const auto read = [&](NodeId id) {
        if (id != kNone) last_unit_[index(id)] = static_cast<std::int64_t>(u);
      };
      for (const NodeId in : units_[u].inputs) read(in);
      read(units_[u].addend);
      read(units_[u].scale);
    }
    for (const NodeId id : keep) last_unit_[index(id)] = kForever;
    last_unit_[index(graph.logits)] = kForever;
  }

  Plan plan() {
    make_image();
    for (unit_ = 0; unit_ < units_.size(); ++unit_) make(units_[unit_]);
    for (const NodeId id : keep_) publish(id);
    publish(graph_.logits);
    finish();
    return std::move(plan_);
  }

 private:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

  BlockedShape shape_of(NodeId id) const { return {batch_, graph_.at(id).out}; }

  BufferId new_buffer(std::int64_t bytes) {
    plan_.buffers.push_back({bytes, static_cast<std::int64_t>(plan_.steps.size()), 0});
    return static_cast<BufferId>(plan_.buffers.size() - 1);
  }
  BufferId output(NodeId id) { return buffer_of_[index(id)] = new_buffer(shape_of(id).bytes(kValueBytes)); }
  BufferId buffer(NodeId id) const {
    EFFNET_CHECK(buffer_of_[index(id)] != kNoBuffer);
    return buffer_of_[index(id)];
  }
  // Nobody reads `id` after this unit, so its memory may take the unit's result.
  bool dies_here(NodeId id) const { return last_unit_[index(id)] == static_cast<std::int64_t>(unit_) && id != 0; }

  void publish(NodeId id) {
    if (buffer_of_[index(id)] == kNoBuffer) {
      throw usage_error("{} of {} cannot be kept (it is folded into the node that follows)", graph_.at(id).name,
                        graph_.name);
    }
    plan_.outputs[id] = {buffer(id), shape_of(id)};
  }

  // Of the packed weights of a layer.
  std::int64_t weight_bytes(NodeId layer) const {
    const PackedSize size = packed_size(graph_, set_, layer);
    return size.weight + size.bias;
  }

  void add(std::unique_ptr<Step> step, NodeId out, std::string kernel, std::vector<BufferId> reads, BufferId writes,
           const std::vector<NodeId>& layers = {}) {
    StepInfo& info = step->info;
    info.name = graph_.at(out).name;
    info.kernel = std::move(kernel);
    for (const BufferId id : reads) info.bytes += plan_.buffers[static_cast<std::size_t>(id)].bytes;
    info.bytes += plan_.buffers[static_cast<std::size_t>(writes)].bytes;
    for (const NodeId layer : layers) {
      info.macs += batch_ * graph::costs(graph_, graph_.at(layer)).macs;
      info.bytes += weight_bytes(layer);
    }
    step->reads = std::move(reads);
    step->writes = writes;
    plan_.steps.push_back(std::move(step));
    plan_.step_outputs.push_back({writes, shape_of(out)});
  }

  std::string plain_kernel(std::string_view what) const { return kernels::kernel_name(weights_.target(), what); }

  // The picture lies in HWC rows, where convolutions that read it find their windows. Each has its own padding; memory
  // has the most of all on every side. What else reads the picture reads a blocked copy of it.
  void make_image() {
    const Chw& in = graph_.input();
    graph::WindowPadding most;
    bool copied = false;
    for (const Unit& unit : units_) {
      const NodeId reader = unit.producer != kNone ? unit.producer : unit.layer;
      const bool from_rows = reads_image(unit, reader);
      copied = copied || unit.addend == 0 || unit.scale == 0;
      for (const NodeId id : unit.inputs) copied = copied || (id == 0 && !from_rows);
      if (!from_rows) continue;
      const graph::WindowPadding own = graph::padding_of(graph_, graph_.at(reader));
      most = {std::max(most.top, own.top), std::max(most.bottom, own.bottom), std::max(most.left, own.left),
              std::max(most.right, own.right)};
    }
    plan_.image_layout = {in, most.top, most.left, in.h + most.top + most.bottom, in.w + most.left + most.right};
    plan_.image = new_buffer(plan_.image_layout.bytes(batch_));
    if (!copied) return;
    const BufferId out = output(0);
    add(std::make_unique<BlockImageStep>(BlockImageSpec{plan_.image, out, batch_, plan_.image_layout}), 0,
        plain_kernel("block_image"), {plan_.image}, out);
  }

  // Whether `layer`, the convolution that a unit runs first, is packed for the picture's rows.
  bool reads_image(const Unit& unit, NodeId layer) const {
    return (unit.kind == Unit::Kind::product || unit.producer != kNone) &&
           depth_of(graph_, layer).source == primitives::DepthLayout::Source::image;
  }

  GemmSource source_of(NodeId layer, NodeId in) const {
    GemmSource source;
    const Node& node = graph_.at(layer);
    source.depth = depth_of(graph_, layer);
    source.in = shape_of(in);
    source.out = node.out;
    source.image = plan_.image_layout;
    if (const auto* conv = std::get_if<graph::Conv>(&node.op))
      source.window = window_of(node, conv->kernel, conv->stride);
    return source;
  }
  Window window_of(const Node& node, std::int64_t kernel, std::int64_t stride) const {
    const graph::WindowPadding padding = graph::padding_of(graph_, node);
    return {kernel, stride, padding.top, padding.left};
  }

  void make(const Unit& unit) {
    switch (unit.kind) {
      case Unit::Kind::product:
        return make_product(unit);
      case Unit::Kind::depthwise:
        return make_depthwise(unit);
      case Unit::Kind::map:
        return make_map(unit);
      case Unit::Kind::pool:
        return make_pool(unit);
      case Unit::Kind::global_pool:
        return make_global_pool(unit);
      case Unit::Kind::concat:
        return make_concat(unit);
      case Unit::Kind::pad:
        return make_pad(unit);
    }
  }

  // A pixel's residual is read right before it is written, so the sum may lie where the residual was.
  BufferId output_over(NodeId out, NodeId addend, BufferId in) {
    if (addend == kNone || !dies_here(addend) || buffer(addend) == in) return output(out);
    return buffer_of_[index(out)] = buffer(addend);
  }

  void make_product(const Unit& unit) {
    if (uses_winograd(graph_, unit.layer)) return make_winograd(unit);
    ProductSpec spec;
    spec.source = source_of(unit.layer, unit.inputs[0]);
    spec.in = reads_image(unit, unit.layer) ? plan_.image : buffer(unit.inputs[0]);
    spec.packed = packed_shape(graph_, set_, unit.layer);
    spec.weight = weights_.offsets(unit.layer).weight;
    spec.bias = weights_.offsets(unit.layer).bias;
    spec.activated = activated(unit.activation);
    std::vector<BufferId> reads{spec.in};
    if (unit.scale != kNone) reads.push_back(spec.scale = buffer(unit.scale));
    if (unit.addend != kNone) reads.push_back(spec.residual = buffer(unit.addend));
    spec.out = output_over(unit.out, unit.addend, spec.in);
    const std::int64_t lanes = spec.packed.lanes(0);
    const std::size_t tile = primitives::TileSchedule(set_).next(batch_ * spec.source.out.pixels(), lanes);
    std::string kernel = kernels::product_name(set_, tile, lanes, spec.activated.epilogue);
    add(std::make_unique<ProductStep>(set_, spec), unit.out, std::move(kernel), std::move(reads), spec.out,
        {unit.layer});
  }

  void make_winograd(const Unit& unit) {
    const Node& node = graph_.at(unit.layer);
    const graph::WindowPadding padding = graph::padding_of(graph_, node);
    WinogradSpec spec;
    spec.in = buffer(unit.inputs[0]);
    spec.in_shape = shape_of(unit.inputs[0]);
    spec.out_shape = shape_of(unit.layer);
    spec.packed = packed_shape(graph_, set_, unit.layer);
    spec.top = padding.top;
    spec.left = padding.left;
    spec.weight = weights_.offsets(unit.layer).weight;
    spec.bias = weights_.offsets(unit.layer).bias;
    spec.activated = activated(unit.activation);
    std::vector<BufferId> reads{spec.in};
    if (unit.addend != kNone) reads.push_back(spec.residual = buffer(unit.addend));
    spec.out = output_over(unit.out, unit.addend, spec.in);
    add(std::make_unique<WinogradStep>(set_, spec), unit.out,
        plain_kernel(fmt::format("winograd2x2_{}", kernels::name(spec.activated.epilogue))), std::move(reads), spec.out,
        {unit.layer});
  }

  void make_depthwise(const Unit& unit) {
    const Node& node = graph_.at(unit.layer);
    const auto& conv = std::get<graph::Conv>(node.op);
    const graph::WindowPadding padding = graph::padding_of(graph_, node);
    if (conv.kernel > kLargestDepthwiseKernel) {
      throw input_error("{}: the window of a depthwise convolution is too large (got {}x{}, expected at most {}x{})",
                        node.name, conv.kernel, conv.kernel, kLargestDepthwiseKernel, kLargestDepthwiseKernel)
          .with_hint("the reference executor runs it: --backend reference");
    }
    DepthwiseSpec spec;
    spec.images = batch_;
    spec.in_shape = graph_.in(node);
    spec.out_shape = node.out;
    spec.window = window_of(node, conv.kernel, conv.stride);
    spec.right = padding.right;
    spec.in = unit.producer != kNone && reads_image(unit, unit.producer) ? plan_.image : buffer(unit.inputs[0]);
    spec.weight = weights_.offsets(unit.layer).weight;
    spec.pair_weight = spec.weight + float_bytes(kernels::blocked_floats(node.out.c, conv.kernel * conv.kernel));
    spec.bias = weights_.offsets(unit.layer).bias;
    spec.activated = activated(unit.activation);
    std::vector<NodeId> layers{unit.layer};
    const bool half = kernels::lanes_of(spec.out_shape.c) <= 8;
    std::string kernel = DepthwiseStep::makes_pairs(set_, spec)
                             ? kernels::depthwise_pair_name(set_, conv.kernel, half, spec.activated.epilogue)
                             : kernels::depthwise_name(set_, conv.kernel, conv.stride, half, spec.activated.epilogue);
    if (unit.producer != kNone) {
      spec.produced = true;
      spec.source = source_of(unit.producer, unit.inputs[0]);
      spec.source_packed = packed_shape(graph_, set_, unit.producer);
      spec.source_weight = weights_.offsets(unit.producer).weight;
      spec.source_bias = weights_.offsets(unit.producer).bias;
      spec.source_activated = activated(unit.producer_activation);
      layers.push_back(unit.producer);
      const std::int64_t lanes = spec.source_packed.lanes(0);
      const std::size_t tile = primitives::TileSchedule(set_).next(spec.source.out.pixels(), lanes);
      kernel = kernels::product_name(set_, tile, lanes, spec.source_activated.epilogue) + "+" + kernel;
    }
    spec.out = output(unit.out);
    if (unit.pooled != kNone) {
      const std::int64_t bands = DepthwiseStep::bands(set_, batch_, spec.out_shape);
      spec.sums = sums_[unit.pooled] =
          new_buffer(float_bytes(kernels::blocked_floats(spec.out_shape.c, batch_ * bands)));
    }
    add(std::make_unique<DepthwiseStep>(set_, spec), unit.out, std::move(kernel), {spec.in}, spec.out, layers);
  }

  void make_map(const Unit& unit) {
    MapSpec spec;
    spec.shape = shape_of(unit.out);
    spec.in = buffer(unit.inputs[0]);
    spec.activation = unit.activation;
    std::vector<BufferId> reads{spec.in};
    std::vector<NodeId> layers;
    if (unit.layer != kNone && std::holds_alternative<graph::BatchNorm>(graph_.at(unit.layer).op)) {
      spec.weight = weights_.offsets(unit.layer).weight;
      spec.bias = weights_.offsets(unit.layer).bias;
      layers.push_back(unit.layer);
    }
    if (unit.addend != kNone) reads.push_back(spec.addend = buffer(unit.addend));
    if (unit.scale != kNone) reads.push_back(spec.scale = buffer(unit.scale));
    if (dies_here(unit.inputs[0])) {
      spec.out = buffer_of_[index(unit.out)] = spec.in;
    } else {
      spec.out = output(unit.out);
    }
    add(std::make_unique<MapStep>(spec), unit.out, plain_kernel("map"), std::move(reads), spec.out, layers);
  }

  void make_pool(const Unit& unit) {
    const Node& node = graph_.at(unit.layer);
    const auto& pool = std::get<graph::Pool>(node.op);
    PoolSpec spec;
    spec.in = buffer(unit.inputs[0]);
    spec.out = output(unit.out);
    spec.images = batch_;
    spec.in_shape = graph_.in(node);
    spec.out_shape = node.out;
    spec.window = window_of(node, pool.kernel, pool.stride);
    spec.kind = pool.kind;
    spec.count_padding = pool.count_padding;
    add(std::make_unique<PoolStep>(spec), unit.out, plain_kernel("pool"), {spec.in}, spec.out);
  }

  void make_global_pool(const Unit& unit) {
    GlobalPoolSpec spec;
    spec.shape = shape_of(unit.inputs[0]);
    if (unit.pooled != kNone) {
      spec.in = sums_.at(unit.pooled);
      spec.bands = DepthwiseStep::bands(set_, batch_, spec.shape.chw);
    } else {
      spec.in = buffer(unit.inputs[0]);
    }
    spec.out = output(unit.out);
    add(std::make_unique<GlobalPoolStep>(spec), unit.out, plain_kernel("global_pool"), {spec.in}, spec.out);
  }

  void make_concat(const Unit& unit) {
    ConcatSpec spec;
    for (const NodeId in : unit.inputs) {
      spec.in.push_back(buffer(in));
      spec.channels.push_back(graph_.at(in).out.c);
    }
    spec.shape = shape_of(unit.out);
    spec.out = output(unit.out);
    std::vector<BufferId> reads = spec.in;
    const BufferId out = spec.out;
    add(std::make_unique<ConcatStep>(std::move(spec)), unit.out, plain_kernel("concat"), std::move(reads), out);
  }

  void make_pad(const Unit& unit) {
    const Node& node = graph_.at(unit.layer);
    const auto& pad = std::get<graph::Pad>(node.op);
    PadSpec spec;
    spec.in = buffer(unit.inputs[0]);
    spec.out = output(unit.out);
    spec.images = batch_;
    spec.in_shape = graph_.in(node);
    spec.out_shape = node.out;
    spec.top = pad.top;
    spec.left = pad.left;
    add(std::make_unique<PadStep>(spec), unit.out, plain_kernel("pad"), {spec.in}, spec.out);
  }

  void finish() {
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      const Step& step = *plan_.steps[s];
      const auto lives = [&](BufferId id) {
        plan_.buffers[static_cast<std::size_t>(id)].last = static_cast<std::int64_t>(s);
      };
      for (const BufferId id : step.reads) lives(id);
      lives(step.writes);
      plan_.scratch_bytes = std::max(plan_.scratch_bytes, step.scratch_bytes());
      plan_.zero_bytes = std::max(plan_.zero_bytes, step.zero_bytes());
    }
    for (const auto& [id, output] : plan_.outputs)
      plan_.buffers[static_cast<std::size_t>(output.buffer)].last = kForever;
    plan_.arena = place(plan_.buffers);
  }

  const Graph& graph_;
  const kernels::KernelSet& set_;
  const PackedWeights& weights_;
  std::int64_t batch_;
  const std::vector<NodeId>& keep_;
  std::vector<Unit> units_;
  std::size_t unit_ = 0;
  std::vector<BufferId> buffer_of_;      // by node
  std::vector<std::int64_t> last_unit_;  // by node: the last unit that reads it
  std::map<NodeId, BufferId> sums_;      // by global pool
  Plan plan_;
};

}  // namespace

Plan make_plan(const Graph& graph, const PackedWeights& weights, std::int64_t batch, const PlanOptions& options,
               const std::vector<NodeId>& keep) {
  graph::check(graph);
  const Node& logits = graph.at(graph.logits);
  if (logits.out.pixels() != 1) {
    throw input_error("{}: the output is no vector (got {}x{} pixels, expected one)", logits.name, logits.out.h,
                      logits.out.w);
  }
  for (const NodeId id : keep) {
    if (id < 1 || static_cast<std::size_t>(id) >= graph.nodes.size()) {
      throw usage_error("a node that cannot be kept (got {}, expected 1 to {})", id, graph.nodes.size() - 1);
    }
  }
  return Planner(graph, weights, batch, options, keep).plan();
}

}  // namespace effnet::engine
