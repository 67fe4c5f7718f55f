// Places buffers with known lifetimes in one block of memory.
#pragma once

#include <cstdint>
#include <vector>

namespace effnet::engine {

struct Lifetime {
  std::int64_t bytes = 0;
  std::int64_t first = 0;  // the step that writes the buffer
  std::int64_t last = 0;   // the last step that reads the buffer
};

struct Arena {
  std::vector<std::int64_t> offsets;  // by buffer, in bytes, multiples of tensor::kAlignment
  std::int64_t bytes = 0;
};

// Places the buffers in descending order of size. Each buffer gets the lowest offset at which it does not overlap a
// placed buffer that is alive at the same time.
Arena place(const std::vector<Lifetime>& buffers);

}  // namespace effnet::engine
