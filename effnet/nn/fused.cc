#include "effnet/nn/step.h"

namespace effnet::nn {

std::optional<Step> fused_step(const graph::Graph&, graph::NodeId, const Bind&, const NetworkOptions&) {
  return std::nullopt;
}

}  // namespace effnet::nn
