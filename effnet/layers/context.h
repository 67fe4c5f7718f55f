// Context: the kernels, threads and memory that a layer uses. The caller owns all of them; this folder has no global
// state.
#pragma once

#include "effnet/kernels/training.h"
#include "effnet/layers/loops.h"
#include "effnet/layers/workspace.h"
#include "effnet/primitives/tile_schedule.h"

namespace effnet::layers {

// The kernels of one instruction set. The CPU must support this set (kernels/isa.h).
struct Kernels {
  explicit Kernels(kernels::Isa isa)
      : base(kernels::kernel_set({isa})), training(kernels::training_set({isa})), schedule(base) {}
  const kernels::KernelSet& base;
  const kernels::TrainingSet& training;
  primitives::TileSchedule schedule;  // for the GEMM kernels of `base`
};

struct Context {
  const Kernels& kernels;
  const Loops& loops;
  Workspace& workspace;
};

}  // namespace effnet::layers
