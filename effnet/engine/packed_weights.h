// Weights as the engine's kernels read them: batch norm folded, channels in tiles, 64-byte aligned. One block of bytes
// whose layout is a pure function of graph and target (not of resolution, batch or threads), so that all
// sessions of a model share it and a file of it can be mapped (weights_cache.h).
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
  // Throws Error(input) if the parameters do not fit (ParameterSource::check), Error(environment) if this CPU lacks the
  // instruction set or memory does not suffice.
  static std::shared_ptr<const PackedWeights> pack(const graph::Graph& graph, const ParameterSource& parameters,
                                                   const kernels::Target& target, ThreadPool& pool);
  // Bytes that pack() once gave for the same graph and target, kept alive by `owner`. Throws Error(input) if their
  // number is another than size_bytes(graph, target) or they are not 64-byte aligned, Error(environment) if this CPU
  // lacks the set; the caller has checked that they are whole.
  static std::shared_ptr<const PackedWeights> adopt(const graph::Graph& graph, const kernels::Target& target,
                                                    std::span<const std::byte> bytes,
                                                    std::shared_ptr<const void> owner);
  static std::int64_t size_bytes(const graph::Graph& graph, const kernels::Target& target);
  // Rises whenever the layout changes: a file of another version is of no use.
  static constexpr std::uint32_t kLayoutVersion = 3;

  // A copy in huge pages, for a process that runs for long: B0 3 to 4 % faster than from a mapped file, since its 20 MB
  // are more than the processor's table of small pages reaches. Throws Error(environment) if memory does not suffice.
  std::shared_ptr<const PackedWeights> in_huge_pages() const;

  // Whether they were packed for a graph of these layers, at whatever resolution.
  bool fit(const graph::Graph& graph) const;

  std::span<const std::byte> bytes() const { return bytes_; }
  const kernels::Target& target() const { return target_; }
  kernels::Isa isa() const { return target_.isa; }

  // Where the values of a node (a convolution or linear layer, its batch norm folded in) begin, in bytes from the
  // start; negative if the node has none.
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
