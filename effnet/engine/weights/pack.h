// Packs the parameters of layers.
#pragma once

#include <vector>

#include "effnet/engine/parameters.h"
#include "effnet/engine/patterns.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/kernels.h"
#include "effnet/kernels/target.h"

namespace effnet::engine {

// Folds the batch norm of every convolution: the packed weight is weight * scale and the packed bias is bias * scale +
// shift, per output channel, computed in double. Several threads may use one Packer. It keeps references to the
// constructor's arguments.
class Packer {
 public:
  Packer(const graph::Graph& graph, const ParameterSource& parameters, const kernels::Target& target);
  // Writes the weights and biases of a node in the layout of layout.h. The memory must contain zeros, because padding
  // channels and padding depth are not written.
  void pack(NodeId id, std::byte* weight, std::byte* bias) const;

 private:
  struct Affine {
    std::vector<double> scale, shift;  // by output channel
  };
  std::span<const float> parameter(const graph::Node& node, graph::ParameterKind kind) const;
  Affine affine_of(NodeId norm, std::int64_t channels) const;
  void pack_depthwise(NodeId id, std::span<const float> values, std::span<const double> scale, float* to) const;
  void pack_gemm(NodeId id, std::span<const float> values, std::span<const double> scale, float* to) const;
  std::vector<std::int64_t> rows_of(NodeId id) const;

  const graph::Graph& graph_;
  const ParameterSource& parameters_;
  const kernels::KernelSet& set_;
  std::vector<NodeId> norms_;
};

}  // namespace effnet::engine
