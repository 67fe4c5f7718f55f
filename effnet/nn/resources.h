// What the layers of this process compute with (layers/context.h): one team of threads, as many as torch uses in an
// operation (torch::set_num_threads), one workspace, the kernels of one instruction set. The team is effnet's own:
// at::parallel_for lives in a header that is parallel only where the compiler's OpenMP is torch's, and its threads take
// longer to start than many loops of layers to run.
#pragma once

#include "effnet/layers/context.h"

namespace effnet::nn {

const layers::Kernels& own_kernels();  // of kernels::chosen_isa(), chosen once
layers::Workspace& workspace();

// The team: `hold` as in layers/loops.h. One at a time has it, others wait: on one thread only one at once.
layers::Loops own_loops(bool hold = true);

}  // namespace effnet::nn
