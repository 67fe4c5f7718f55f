// What layers compute with. The caller owns all of it; nothing in this folder is global.
#pragma once

#include "effnet/kernels/training.h"
#include "effnet/layers/loops.h"
#include "effnet/layers/workspace.h"
#include "effnet/primitives/tile_schedule.h"

namespace effnet::layers {

// The kernels of one instruction set, which this CPU must have (kernels/isa.h).
struct Kernels {
  explicit Kernels(kernels::Isa isa)
      : base(kernels::kernel_set({isa})), training(kernels::training_set({isa})), schedule(base) {}
  const kernels::KernelSet& base;
  const kernels::TrainingSet& training;
  primitives::TileSchedule schedule;  // of `base`
};

struct Context {
  const Kernels& kernels;
  const Loops& loops;
  Workspace& workspace;
};

}  // namespace effnet::layers
