// Graph + packed weights' target and layout + batch -> steps over one block of memory.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "effnet/engine/packed_weights.h"
#include "effnet/engine/plan/arena.h"
#include "effnet/engine/plan/fuse.h"
#include "effnet/engine/steps/step.h"

namespace effnet::engine {

struct Plan {
  std::vector<std::unique_ptr<Step>> steps;
  Arena arena;
  std::vector<Lifetime> buffers;
  BufferId image = 0;  // the network's input; written before the first step
  ImageLayout image_layout;
  std::int64_t scratch_bytes = 0;  // of each team member
  std::int64_t zero_bytes = 0;
  // The buffers that can be read after a run, by node.
  struct Output {
    BufferId buffer;
    BlockedShape shape;
  };
  std::map<NodeId, Output> outputs;
  // Every materialised node's buffer: for finding where NaN arose. A step's output may be overwritten by a later one.
  std::vector<Output> step_outputs;  // by step
};

// Throws Error(input) for a graph that does not fit together (graph::check), whose output is not one pixel or whose
// depthwise windows are too large, and Error(usage) if a node to keep is folded into another.
Plan make_plan(const graph::Graph& graph, const PackedWeights& weights, std::int64_t batch, const PlanOptions& options,
               const std::vector<NodeId>& keep);

}  // namespace effnet::engine
