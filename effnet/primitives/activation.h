// Maps a network's activation to the kernel epilogue that computes it. No other code does this.
#pragma once

#include <limits>

#include "effnet/arch/spec.h"
#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

// An epilogue and its bounds; only Epilogue::clamp reads the bounds. EpilogueParams{} means "no activation".
struct EpilogueParams {
  kernels::Epilogue epilogue = kernels::Epilogue::clamp;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};
// Throws Error(internal) for sigmoid: it is a separate kernel (KernelSet::sigmoid), not an epilogue.
EpilogueParams epilogue_params(arch::Activation activation);

}  // namespace effnet::primitives
