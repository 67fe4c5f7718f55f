#include "effnet/engine/plan/planner.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/engine/steps/makers.h"
#include "effnet/graph/builder.h"
#include "effnet/graph/costs.h"

namespace effnet::engine {
namespace {

constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

struct Row {
  FusedOp::Kind kind;
  void (*make)(Planner& planner, const FusedOp& op);
};
constexpr Row kMakers[] = {
    {FusedOp::Kind::gemm, make_gemm},
    {FusedOp::Kind::winograd, make_winograd},
    {FusedOp::Kind::depthwise, make_depthwise},
    {FusedOp::Kind::map, make_map},
    {FusedOp::Kind::pool, make_pool},
    {FusedOp::Kind::global_pool, make_global_pool},
    {FusedOp::Kind::pad, make_pad},
    {FusedOp::Kind::concat, make_concat},
};

NodeId first_layer(const FusedOp& op) { return op.producer != kNone ? op.producer : op.layer; }

}  // namespace

Planner::Planner(const graph::Graph& graph, const PackedWeights& weights, std::int64_t batch,
                 const PlanOptions& options, const std::vector<NodeId>& keep)
    : graph_(graph),
      weights_(weights),
      set_(kernels::kernel_set(weights.target())),
      batch_(batch),
      keep_(keep),
      ops_(fuse(graph, options, keep)),
      buffer_of_(graph.nodes.size(), kNoBuffer),
      last_op_(graph.nodes.size(), -1) {
  const auto last_reader = [&](NodeId id, std::int64_t op) {
    if (id != kNone) last_op_[static_cast<std::size_t>(id)] = op;
  };
  for (std::size_t u = 0; u < ops_.size(); ++u) {
    const auto op = static_cast<std::int64_t>(u);
    for (const NodeId in : ops_[u].inputs) last_reader(in, op);
    last_reader(ops_[u].addend, op);
    last_reader(ops_[u].scale, op);
  }
  for (const NodeId id : keep) last_reader(id, kForever);
  last_reader(graph.logits, kForever);
}

Plan Planner::plan() {
  make_image();
  for (op_ = 0; op_ < ops_.size(); ++op_) {
    const FusedOp& op = ops_[op_];
    std::find_if(std::begin(kMakers), std::end(kMakers), [&](const Row& row) {
      return row.kind == op.kind;
    })->make(*this, op);
  }
  for (const NodeId id : keep_) publish(id);
  publish(graph_.logits);
  finish();
  return std::move(plan_);
}

Window Planner::window_of(NodeId id) const {
  const graph::Node& node = graph_.at(id);
  const graph::WindowPadding padding = graph::padding_of(graph_, node);
  if (const auto* pool = std::get_if<graph::Pool>(&node.op))
    return {pool->kernel, pool->stride, padding.top, padding.left};
  const auto& conv = std::get<graph::Conv>(node.op);
  return {conv.kernel, conv.stride, padding.top, padding.left};
}

GemmSource Planner::source_of(NodeId layer, NodeId in) const {
  GemmSource source;
  source.depth = depth_of(graph_, layer);
  source.in = shape_of(in);
  source.out = graph_.at(layer).out;
  source.image = plan_.image_layout;
  if (std::holds_alternative<graph::Conv>(graph_.at(layer).op)) source.window = window_of(layer);
  return source;
}

PackedLayer Planner::layer(NodeId layer, graph::Activation activation) const {
  const PackedWeights::Offsets at = weights_.offsets(layer);
  return {.weight = at.weight, .bias = at.bias, .activation = epilogue_params(activation)};
}

PackedLayer Planner::gemm_layer(NodeId id, graph::Activation activation) const {
  PackedLayer packed = layer(id, activation);
  packed.shape = packed_shape(graph_, set_, id);
  return packed;
}

std::string Planner::gemm_kernel(const PackedLayer& layer, std::int64_t pixels) const {
  const std::int64_t lanes = layer.shape.lanes(0);
  const std::size_t tile = primitives::TileSchedule(set_).next(pixels, lanes);
  return kernels::gemm_name(set_, tile, lanes, layer.activation.epilogue);
}

BufferId Planner::buffer(NodeId id) const {
  const BufferId buffer = buffer_of_[static_cast<std::size_t>(id)];
  EFFNET_CHECK(buffer != kNoBuffer);
  return buffer;
}

BufferId Planner::new_buffer(std::int64_t bytes) {
  plan_.buffers.push_back({bytes, static_cast<std::int64_t>(plan_.steps.size()), 0});
  return static_cast<BufferId>(plan_.buffers.size() - 1);
}

BufferId Planner::output_in_place(NodeId out, NodeId operand, BufferId other) {
  if (operand == kNone || !is_last_reader(operand) || buffer(operand) == other) return output(out);
  return buffer_of(out) = buffer(operand);
}

// Returns true if the current op is the last reader of node `id`. Always returns false for the network's input.
bool Planner::is_last_reader(NodeId id) const {
  return last_op_[static_cast<std::size_t>(id)] == static_cast<std::int64_t>(op_) && id != 0;
}

void Planner::publish(NodeId id) {
  if (buffer_of(id) == kNoBuffer) {
    throw usage_error("the output of node {} of {} cannot be kept: the node is fused into the next one",
                      graph_.at(id).name, graph_.name);
  }
  plan_.outputs[id] = {buffer(id), shape_of(id)};
}

void Planner::add(std::unique_ptr<Step> step, StepDescription description) {
  StepInfo& info = step->info;
  info.name = graph_.at(description.out).name;
  info.kernel = std::move(description.kernel);
  const auto bytes_of = [&](BufferId id) { return plan_.buffers[static_cast<std::size_t>(id)].bytes; };
  for (const BufferId id : description.reads) info.bytes += bytes_of(id);
  info.bytes += bytes_of(description.writes);
  for (const NodeId layer : description.layers) {
    const PackedSize size = packed_size(graph_, target(), layer);
    info.macs += batch_ * graph::costs(graph_, graph_.at(layer)).macs;
    info.bytes += size.weight + size.bias;
  }
  step->reads = std::move(description.reads);
  step->writes = description.writes;
  plan_.steps.push_back(std::move(step));
  plan_.step_outputs.push_back({description.writes, shape_of(description.out)});
}

bool Planner::reads_image(const FusedOp& op) const {
  return (op.kind == FusedOp::Kind::gemm || op.producer != kNone) &&
         depth_of(graph_, first_layer(op)).source == primitives::DepthLayout::Source::image;
}

// The network's input is stored in HWC rows, from which convolutions read their windows directly. The convolutions may
// have different padding; the rows have the largest padding on each side. All other readers of the input read a blocked
// copy.
void Planner::make_image() {
  const Chw& in = graph_.input();
  graph::WindowPadding most;
  bool copied = false;
  for (const FusedOp& op : ops_) {
    const bool from_rows = reads_image(op);
    copied = copied || op.addend == 0 || op.scale == 0;
    for (const NodeId id : op.inputs) copied = copied || (id == 0 && !from_rows);
    if (!from_rows) continue;
    const graph::WindowPadding own = graph::padding_of(graph_, graph_.at(first_layer(op)));
    most = {std::max(most.top, own.top), std::max(most.bottom, own.bottom), std::max(most.left, own.left),
            std::max(most.right, own.right)};
  }
  plan_.image_layout = {in, most.top, most.left, in.h + most.top + most.bottom, in.w + most.left + most.right};
  plan_.image = new_buffer(plan_.image_layout.bytes(batch_));
  if (copied) make_block_image(*this, plan_.image, plan_.image_layout);
}

void Planner::finish() {
  for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
    const Step& step = *plan_.steps[s];
    const auto extend_lifetime = [&](BufferId id) {
      plan_.buffers[static_cast<std::size_t>(id)].last = static_cast<std::int64_t>(s);
    };
    for (const BufferId id : step.reads) extend_lifetime(id);
    extend_lifetime(step.writes);
    plan_.scratch_bytes = std::max(plan_.scratch_bytes, step.scratch_bytes());
    plan_.zero_bytes = std::max(plan_.zero_bytes, step.zero_bytes());
  }
  for (const auto& [id, output] : plan_.outputs) plan_.buffers[static_cast<std::size_t>(output.buffer)].last = kForever;
  plan_.arena = place(plan_.buffers);
}

Plan make_plan(const graph::Graph& graph, const PackedWeights& weights, std::int64_t batch, const PlanOptions& options,
               const std::vector<NodeId>& keep) {
  graph::check(graph);
  const graph::Node& logits = graph.at(graph.logits);
  if (logits.out.pixels() != 1) {
    throw input_error("{}: the output is not a vector (got {}x{} pixels, expected 1x1)", logits.name, logits.out.h,
                      logits.out.w);
  }
  for (const NodeId id : keep) {
    if (id < 1 || static_cast<std::size_t>(id) >= graph.nodes.size()) {
      throw usage_error("node id out of range in SessionOptions::keep (got {}, expected 1 to {})", id,
                        graph.nodes.size() - 1);
    }
  }
  return Planner(graph, weights, batch, options, keep).plan();
}

}  // namespace effnet::engine
