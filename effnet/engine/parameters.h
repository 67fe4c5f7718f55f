// The parameters of a network, looked up in named tensors.
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

// The interface through which packing and the reference executor read parameters.
using ParameterSource = graph::ParameterSource<std::span<const float>>;

// Immutable: several threads and networks may read it at the same time. Copies share the values.
class EFFNET_API Parameters final : public ParameterSource {
 public:
  // Aligned float32 tensors are used in place and their owner is kept alive; all others are converted once. Throws
  // Error(input) if the number of bytes of a tensor does not match its shape.
  explicit Parameters(const tensor::Weights& weights);

  // Returns row-major values, or std::nullopt if there is no such tensor. The span stays valid while at least one copy
  // of this object exists.
  std::optional<std::span<const float>> find(std::string_view name) const;
  // Throws Error(input) if the tensor is missing or has another shape.
  std::span<const float> at(const graph::Parameter& parameter) const override;

  // Throws Error(input) if parameters of `graph` are missing or have another shape; the message names the first three.
  // Additional tensors are allowed.
  void check(const graph::Graph& graph) const override;

 private:
  struct Entry {
    tensor::Dims dims;
    tensor::FloatValues floats;
  };
  // Returns a description of what is wrong with this parameter, or an empty text if it fits.
  std::string fault(const graph::Parameter& parameter) const;

  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace effnet::engine
