// A pool of large memory blocks. Every training step needs blocks of the same sizes, and getting new pages from the
// system takes more time than one pass over them. So blocks are reused. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

namespace effnet::layers {

class Workspace {
 public:
  Workspace();
  // Returns `count` uninitialised floats, aligned to 64 bytes. The block returns to the pool when the last copy of the
  // returned pointer is destroyed; this may happen after the workspace is destroyed. When a new block is allocated, the
  // pool returns to the system all blocks that were unused during the last 1024 requests. Throws std::bad_alloc.
  std::shared_ptr<float> floats(std::int64_t count);

 private:
  class Pool;
  std::shared_ptr<Pool> pool_;
};

}  // namespace effnet::layers
