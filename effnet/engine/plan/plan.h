// The plan of a network: steps over one block of memory. It depends on the graph, the target and layout of the packed
// weights, the batch and the options.
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
  BufferId image = 0;  // the network's input; it is written before the first step
  ImageLayout image_layout;
  std::int64_t scratch_bytes = 0;  // per team member
  std::int64_t zero_bytes = 0;
  // By node: the buffers that can be read after a run.
  struct Output {
    BufferId buffer;
    BlockedShape shape;
  };
  std::map<NodeId, Output> outputs;
  // By step: its output, to find the first step whose output is not finite. A later step may overwrite the output.
  std::vector<Output> step_outputs;
};

// Throws Error(input) if the graph is inconsistent (graph::check), if its output is not one pixel, or if the window of
// a depthwise convolution is too large. Throws Error(usage) if a node of `keep` is fused into another node or does not
// exist.
Plan make_plan(const graph::Graph& graph, const PackedWeights& weights, std::int64_t batch, const PlanOptions& options,
               const std::vector<NodeId>& keep);

}  // namespace effnet::engine
