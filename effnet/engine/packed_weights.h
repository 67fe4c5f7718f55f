// Weights in the layout that the engine's kernels read: batch norm folded, output channels in panels, 64-byte aligned.
// All weights of a network are one block of bytes. Its layout depends only on graph and target, not on resolution,
// batch or threads. So all sessions of a model share one block, and the block can be mapped from a file
// (weights_cache.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "effnet/base/export.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/parameters.h"
#include "effnet/graph/graph.h"
#include "effnet/kernels/target.h"

namespace effnet::engine {

class EFFNET_API PackedWeights {
 public:
  // Packs the parameters. Throws Error(input) if they do not fit the graph (ParameterSource::check), Error(environment)
  // if this CPU does not have the instruction set or memory is insufficient.
  static std::shared_ptr<const PackedWeights> pack(const graph::Graph& graph, const ParameterSource& parameters,
                                                   const kernels::Target& target, ThreadPool& pool);
  // Uses bytes that pack() produced earlier for the same graph and target. `owner` keeps them alive. Throws
  // Error(input) if the number of bytes is not size_bytes(graph, target) or they are not 64-byte aligned,
  // Error(environment) if this CPU does not have the instruction set. The contents are not checked; the caller verifies
  // them.
  static std::shared_ptr<const PackedWeights> adopt(const graph::Graph& graph, const kernels::Target& target,
                                                    std::span<const std::byte> bytes,
                                                    std::shared_ptr<const void> owner);
  static std::int64_t size_bytes(const graph::Graph& graph, const kernels::Target& target);
  // Incremented with every change of the layout. Files of another version are not used.
  static constexpr std::uint32_t kLayoutVersion = 3;

  // Returns a copy in huge pages, for long-running processes. B0 runs 3 to 4 % faster with this copy than with a mapped
  // file: the file is mapped in small pages, and the processor's TLB cannot hold enough of them for 20 MB. Throws
  // Error(environment) if memory is insufficient.
  std::shared_ptr<const PackedWeights> in_huge_pages() const;

  // Returns true if the weights were packed for a graph with the same layers, at any resolution.
  bool fit(const graph::Graph& graph) const;

  std::span<const std::byte> bytes() const { return bytes_; }
  const kernels::Target& target() const { return target_; }
  kernels::Isa isa() const { return target_.isa; }

  // Offsets, in bytes from the start, of the values of a node: a convolution or linear layer with its folded batch
  // norm, or a batch norm that is not folded. Negative if the node has no values of its own.
  struct Offsets {
    std::int64_t weight = -1;
    std::int64_t bias = -1;
    friend bool operator==(const Offsets&, const Offsets&) = default;
  };
  Offsets offsets(graph::NodeId node) const { return offsets_[static_cast<std::size_t>(node)]; }

 private:
  PackedWeights() = default;
  kernels::Target target_{kernels::Isa::portable};
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::vector<Offsets> offsets_;  // by node
};

}  // namespace effnet::engine
