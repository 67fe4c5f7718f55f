// The squeezed channels of squeeze-and-excitation. Lowering uses this rule, and so does code that has to know the
// result without a graph.
#pragma once

#include <algorithm>
#include <cstdint>

namespace effnet::arch {

// max(1, int(se * channels)). `se` is above 0; `channels` are the block's INPUT channels, not the expanded ones.
inline std::int64_t squeezed_channels(double se, std::int64_t channels) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(se * static_cast<double>(channels)));
}

}  // namespace effnet::arch
