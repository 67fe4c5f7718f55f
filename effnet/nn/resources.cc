#include "effnet/nn/resources.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace effnet::nn {

const layers::Kernels& shared_kernels() {
  static const layers::Kernels kernels(kernels::chosen_isa());
  return kernels;
}

// The workspace and the team are never destroyed: threads and tensors may outlive static objects.
layers::Workspace& shared_workspace() {
  static layers::Workspace* const shared = new layers::Workspace;
  return *shared;
}

layers::Loops shared_loops(bool hold) {
  static layers::Team* const team = new layers::Team;
  return {*team, std::clamp(at::get_num_threads(), 1, 1024), hold};
}

}  // namespace effnet::nn
