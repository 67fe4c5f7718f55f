// Options of a Session, and the description of its steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/graph/graph.h"

namespace effnet::engine {

// The fusions of the plan, all on by default. The table in docs/engine.md shows the time with each fusion turned off.
struct PlanOptions {
  bool fuse_epilogues = true;  // activation and residual addition run inside the convolution before them
  bool fuse_depthwise =
      true;  // the convolution before a depthwise convolution computes its rows just in time (row cascade)
  bool fuse_scale = true;  // a channel scale is applied to the weights or the input of the next convolution
  bool fuse_pool = true;   // a depthwise convolution sums its output for the global pool after it
};

struct SessionOptions {
  std::int64_t batch = 1;
  int threads = 1;
  PlanOptions plan = {};
  // Nodes whose outputs can be read after a run, in addition to the logits: graph.features for class activation maps,
  // graph.reductions for feature maps at several resolutions. These nodes are not fused into others, and their memory
  // is not reused.
  std::vector<graph::NodeId> keep = {};
};

// One step of a plan, for reports.
struct StepInfo {
  std::string name;        // the graph node whose output the step computes: "stages.2.1.depthwise.act"
  std::string kernel;      // the kernel that runs: "f32_gemm_14x32_silu_avx512"
  std::int64_t macs = 0;   // for the whole batch
  std::int64_t bytes = 0;  // read and written by the step: inputs, outputs, weights
  double ms = 0;           // in the last profiled run
};

}  // namespace effnet::engine
