// The kernels of a network's activations: the only table from the one to the other.
#pragma once

#include "effnet/arch/spec.h"
#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

struct EpilogueParams {  // an epilogue with its bounds
  kernels::Epilogue epilogue = kernels::Epilogue::clamp;
  float low = 0, high = 0;
};
// Any but sigmoid, which is a kernel of its own and ends no other.
EpilogueParams epilogue_params(arch::Activation activation);

}  // namespace effnet::primitives
