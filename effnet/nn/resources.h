// Kernels, threads and memory shared by all layers of this process (layers/context.h). The team has as many threads as
// torch uses in one operation (torch::set_num_threads), at least 1 and at most 1024. at::parallel_for is not used, for
// two reasons: it is parallel only if this code is compiled with the same OpenMP library as torch, and its threads take
// longer to start than many loops of layers take to run.
#pragma once

#include <torch/utils.h>

#include "effnet/layers/context.h"

namespace effnet::nn {

const layers::Kernels& shared_kernels();  // for kernels::chosen_isa(), chosen at the first call
layers::Workspace& shared_workspace();

// Loops on the shared team; `hold` as in layers/loops.h. With hold = true a second call waits until the first object is
// destroyed, so one thread must not have two such objects at once.
layers::Loops shared_loops(bool hold = true);

}  // namespace effnet::nn
