#include "effnet/engine/packed_weights.h"

#include <algorithm>
#include <cstring>

#include "effnet/base/error.h"
#include "effnet/engine/weights/layout.h"
#include "effnet/engine/weights/pack.h"
#include "effnet/tensor/memory.h"

namespace effnet::engine {
namespace {

using graph::Graph;

std::shared_ptr<std::byte[]> huge_pages(std::size_t bytes) {
  return tensor::allocate(std::max(bytes, tensor::kHugePage), "packed weights");
}

}  // namespace

std::shared_ptr<const PackedWeights> PackedWeights::pack(const Graph& graph, const ParameterSource& parameters,
                                                         const kernels::Target& target, ThreadPool& pool) {
  kernels::require(target.isa);
  parameters.check(graph);
  WeightsLayout layout = layout_of(graph, target);
  const auto size = static_cast<std::size_t>(layout.bytes);
  const std::shared_ptr<std::byte[]> memory = huge_pages(size);
  std::memset(memory.get(), 0, size);  // padding channels and padding depth must be zero
  const Packer packer(graph, parameters, target);
  pool.parallel_for(static_cast<std::int64_t>(graph.nodes.size()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Offsets& at = layout.offsets[static_cast<std::size_t>(i)];
      if (at.weight >= 0) packer.pack(static_cast<NodeId>(i), memory.get() + at.weight, memory.get() + at.bias);
    }
  });
  return adopt(graph, target, {memory.get(), size}, memory);
}

std::shared_ptr<const PackedWeights> PackedWeights::adopt(const Graph& graph, const kernels::Target& target,
                                                          std::span<const std::byte> bytes,
                                                          std::shared_ptr<const void> owner) {
  kernels::require(target.isa);
  WeightsLayout layout = layout_of(graph, target);
  if (bytes.size() != static_cast<std::size_t>(layout.bytes)) {
    throw input_error("the packed weights belong to another network (got {} bytes, expected {} bytes)", bytes.size(),
                      layout.bytes);
  }
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kernels::kAlignment != 0) {
    throw input_error("the packed weights are not aligned (expected an address divisible by {})", kernels::kAlignment);
  }
  std::shared_ptr<PackedWeights> weights(new PackedWeights);
  weights->target_ = target;
  weights->bytes_ = bytes;
  weights->owner_ = std::move(owner);
  weights->offsets_ = std::move(layout.offsets);
  return weights;
}

bool PackedWeights::fit(const Graph& graph) const {
  const WeightsLayout layout = layout_of(graph, target_);
  return bytes_.size() == static_cast<std::size_t>(layout.bytes) && offsets_ == layout.offsets;
}

std::shared_ptr<const PackedWeights> PackedWeights::in_huge_pages() const {
  const std::shared_ptr<std::byte[]> memory = huge_pages(bytes_.size());
  std::memcpy(memory.get(), bytes_.data(), bytes_.size());
  std::shared_ptr<PackedWeights> copy(new PackedWeights(*this));
  copy->bytes_ = {memory.get(), bytes_.size()};
  copy->owner_ = memory;
  return copy;
}

std::int64_t PackedWeights::size_bytes(const Graph& graph, const kernels::Target& target) {
  return layout_of(graph, target).bytes;
}

}  // namespace effnet::engine
