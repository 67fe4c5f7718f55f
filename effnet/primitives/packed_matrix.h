// The weights of a GEMM as the kernels read them: output channels in panels of KernelSet::tile channels, in a panel one
// row of channels after the other for every k of the depth. The last panel has only as many lanes as its channels need.
//
//   panel 0: [depth][lanes]   panel 1: [depth][lanes]   ...
//
// Nothing else in effnet knows where a panel lies.
#pragma once

#include <algorithm>
#include <cstdint>

#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

struct Panel {
  const float* weight;
  std::int64_t channel;  // the first one
  std::int64_t lanes;    // a multiple of 8; those beyond the matrix's channels are padding
};

// The shape of a packed matrix; a value.
struct PackedShape {
  std::int64_t channels, depth;
  std::int64_t panel_channels;  // KernelSet::tile

  std::int64_t panels() const { return (lanes() + panel_channels - 1) / panel_channels; }
  std::int64_t values() const { return lanes() * depth; }
  std::int64_t channel(std::int64_t panel) const { return panel * panel_channels; }
  std::int64_t lanes(std::int64_t panel) const { return std::min(panel_channels, lanes() - channel(panel)); }
  std::int64_t offset(std::int64_t panel) const { return channel(panel) * depth; }  // values from the start

 private:
  std::int64_t lanes() const { return kernels::lanes_of(channels); }
};

// A packed matrix in memory that somebody else owns.
struct PackedMatrix {
  const float* data;
  PackedShape shape;

  std::int64_t panels() const { return shape.panels(); }
  Panel panel(std::int64_t i) const { return {data + shape.offset(i), shape.channel(i), shape.lanes(i)}; }
};

// Writes panel `i`: row(k, channel, count, to) writes `count` channels of row k of the depth, from `channel` on.
// Padding lanes are set to zero, so that they stay finite.
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
