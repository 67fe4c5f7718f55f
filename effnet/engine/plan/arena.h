// One block of memory for buffers that live from one step to another.
#pragma once

#include <cstdint>
#include <vector>

namespace effnet::engine {

struct Lifetime {
  std::int64_t bytes = 0;
  std::int64_t first = 0;  // the step that writes it
  std::int64_t last = 0;   // the last step that reads it
};

struct Arena {
  std::vector<std::int64_t> offsets;  // in bytes, multiples of tensor::kAlignment, by buffer
  std::int64_t bytes = 0;
};

// Places buffers, the largest first, each at the lowest offset where it meets no other that lives at the same time.
Arena place(const std::vector<Lifetime>& buffers);

}  // namespace effnet::engine
