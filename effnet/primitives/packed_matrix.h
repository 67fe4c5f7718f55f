// The packed weights of a GEMM, in the layout that the kernels read. The output channels are divided into panels of
// KernelSet::tile channels. For each k of the depth, a panel has one row with a weight per channel. The last panel has
// only as many lanes as its channels need, rounded up to a multiple of 8.
//
//   panel 0: [depth][lanes]   panel 1: [depth][lanes]   ...
//
// Only this file computes the address of a panel.
#pragma once

#include <algorithm>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

struct Panel {
  const float* weight;
  std::int64_t channel;  // the first output channel
  std::int64_t lanes;    // a multiple of 8, padding lanes included
};

// The shape of a packed matrix.
struct PackedShape {
  std::int64_t channels, depth;
  std::int64_t panel_channels;  // KernelSet::tile

  std::int64_t panels() const { return (lanes() + panel_channels - 1) / panel_channels; }
  std::int64_t values() const { return lanes() * depth; }
  std::int64_t channel(std::int64_t panel) const { return panel * panel_channels; }
  std::int64_t lanes(std::int64_t panel) const { return std::min(panel_channels, lanes() - channel(panel)); }
  std::int64_t offset(std::int64_t panel) const { return channel(panel) * depth; }  // in floats

 private:
  std::int64_t lanes() const { return kernels::lanes_of(channels); }
};

// A view of a packed matrix; it does not own the memory.
struct PackedMatrix {
  const float* data;
  PackedShape shape;

  std::int64_t panels() const { return shape.panels(); }
  Panel panel(std::int64_t i) const { return {data + shape.offset(i), shape.channel(i), shape.lanes(i)}; }
};

// Writes panel `i`. For each k of the depth, row(k, channel, count, to) must write the weights of the `count` channels
// from `channel` on. Padding lanes are set to zero, so that their results stay finite.
template <class Row>
void pack_panel(const PackedShape& shape, std::int64_t i, float* matrix, const Row& row) {
  const std::int64_t lanes = shape.lanes(i), channel = shape.channel(i);
  const std::int64_t count = std::min(lanes, shape.channels - channel);
  float* to = matrix + shape.offset(i);
  for (std::int64_t k = 0; k < shape.depth; ++k, to += lanes) {
    row(k, channel, count, to);
    std::fill(to + count, to + lanes, 0.0F);
  }
}

}  // namespace effnet::primitives
