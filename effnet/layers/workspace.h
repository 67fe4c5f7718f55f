// A pool of large memory blocks. Every training step needs blocks of the same sizes, and new pages from the system cost
// more time than one pass over them, so blocks are reused. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

namespace effnet::layers {

class Workspace {
 public:
  Workspace();
  // Returns `count` uninitialised floats, aligned to 64 bytes. The block returns to the pool when its last owner is
  // destroyed; owners may outlive the workspace. When a new block is allocated, blocks that were unused for more than
  // 1024 requests are returned to the system. Throws std::bad_alloc.
  std::shared_ptr<float> floats(std::int64_t count);

 private:
  class Pool;
  std::shared_ptr<Pool> pool_;
};

}  // namespace effnet::layers
