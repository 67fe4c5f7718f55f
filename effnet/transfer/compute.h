// Kernels, threads and memory for the layers that probes use (layers/context.h).
#pragma once

#include "effnet/kernels/isa.h"
#include "effnet/layers/context.h"

namespace effnet::transfer {

// For the instruction set of this process (kernels::chosen_isa). The threads stay awake between loops, so an object
// should not live longer than the computation.
class Compute {
 public:
  explicit Compute(int threads)
      : kernels_(kernels::chosen_isa()), loops_(team_, threads), context{kernels_, loops_, workspace_} {}
  Compute(const Compute&) = delete;
  Compute& operator=(const Compute&) = delete;

 private:
  layers::Kernels kernels_;
  layers::Team team_;
  layers::Workspace workspace_;
  layers::Loops loops_;

 public:
  const layers::Context context;
};

}  // namespace effnet::transfer
