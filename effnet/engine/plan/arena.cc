#include "effnet/engine/plan/arena.h"

#include <algorithm>
#include <numeric>

#include "effnet/tensor/blocked.h"

namespace effnet::engine {

Arena place(const std::vector<Lifetime>& buffers) {
  constexpr std::int64_t kGrid = tensor::kAlignment;
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  Arena arena;
  arena.offsets.resize(buffers.size());
  std::vector<std::size_t> placed;  // ordered by offset
  for (const std::size_t i : order) {
    const Lifetime& buffer = buffers[i];
    std::int64_t at = 0;
    for (const std::size_t j : placed) {
      const Lifetime& other = buffers[j];
      if (other.last < buffer.first || buffer.last < other.first) continue;
      if (at + buffer.bytes <= arena.offsets[j]) break;
      at = std::max(at, (arena.offsets[j] + other.bytes + kGrid - 1) / kGrid * kGrid);
    }
    arena.offsets[i] = at;
    arena.bytes = std::max(arena.bytes, at + buffer.bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](std::size_t a, std::size_t b) { return arena.offsets[a] < arena.offsets[b]; }),
                  i);
  }
  return arena;
}

}  // namespace effnet::engine
