// What a Session is asked for, and what it tells of its steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::engine {

// Switches of the plan, all on by default; the ablation table of docs/engine.md turns them off one by one.
struct PlanOptions {
  bool fuse_epilogues = true;  // activation and residual inside the convolution that makes them
  bool fuse_depthwise = true;  // the convolution before a depthwise one computes its rows just ahead of it
  bool fuse_scale = true;      // a channel scale goes into the next convolution's weights or input
  bool fuse_pool = true;       // a depthwise convolution sums its own global pool
};

struct SessionOptions {
  std::int64_t batch = 1;
  int threads = 1;
  PlanOptions plan = {};
  // Nodes whose outputs can be read after a run besides the logits: graph.features for activation maps,
  // graph.reductions for multi-scale maps. They are kept out of fusions and of the reuse of memory.
  std::vector<graph::NodeId> keep = {};
};

// One step of a plan, for reports.
struct StepInfo {
  std::string name;        // of the graph node whose output it makes: "stages.2.1.depthwise.act"
  std::string kernel;      // what runs: "f32_product_14x32_silu_avx512"
  std::int64_t macs = 0;   // of the batch
  std::int64_t bytes = 0;  // read and written outside of the step: inputs, outputs, weights
  double ms = 0;           // of the last profiled run
};

}  // namespace effnet::engine
