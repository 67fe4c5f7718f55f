// A parameter source: name -> float32 values. Weights are held apart from networks, so many Graphs can read one store.
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
#include "effnet/graph/graph.h"
#include "effnet/tensor/tensor.h"

namespace effnet::engine {

// Immutable once made: read it from any number of threads and networks. Copies share the values.
class EFFNET_API Parameters {
 public:
  // Aligned float32 tensors are read in place (their owner is kept alive), all others are converted once.
  // Throws Error(input) if a tensor's bytes do not match its shape.
  explicit Parameters(const formats::Weights& weights);

  // Row-major values; empty optional if there is no such tensor. The span lives as long as any copy of this object.
  std::optional<std::span<const float>> find(std::string_view name) const;
  // Throws Error(input) if there is no such tensor or its shape differs.
  std::span<const float> at(const graph::Parameter& parameter) const;

  // Throws Error(input) that names the first three parameters of `graph` that are missing or have other dimensions.
  // Tensors that the graph does not ask for are no fault.
  void check(const graph::Graph& graph) const;

 private:
  struct Entry {
    formats::Dims dims;
    std::span<const float> values;
    std::shared_ptr<const void> owner;
  };
  // What is wrong with this parameter, or empty.
  std::string fault(const graph::Parameter& parameter) const;

  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace effnet::engine
