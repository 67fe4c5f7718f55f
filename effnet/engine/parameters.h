// The parameters of networks from named tensors.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/graph/parameter_source.h"
#include "effnet/tensor/tensor.h"

namespace effnet::engine {

// What packing and the reference executor read.
using ParameterSource = graph::ParameterSource<std::span<const float>>;

// Immutable once made: read it from any number of threads and networks. Copies share the values.
class EFFNET_API Parameters final : public ParameterSource {
 public:
  // Aligned float32 tensors are read in place (their owner is kept alive), all others are converted once.
  // Throws Error(input) if a tensor's bytes do not match its shape.
  explicit Parameters(const tensor::Weights& weights);

  // Row-major values; empty optional if there is no such tensor. The span lives as long as any copy of this object.
  std::optional<std::span<const float>> find(std::string_view name) const;
  // Throws Error(input) if there is no such tensor or its shape differs.
  std::span<const float> at(const graph::Parameter& parameter) const override;

  // Throws Error(input) that names the first three parameters of `graph` that are missing or have other dimensions.
  // Tensors that the graph does not ask for are no fault.
  void check(const graph::Graph& graph) const override;

 private:
  struct Entry {
    tensor::Dims dims;
    tensor::FloatValues floats;
  };
  // What is wrong with this parameter, or empty.
  std::string fault(const graph::Parameter& parameter) const;

  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace effnet::engine
