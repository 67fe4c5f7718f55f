// Large memory of layers, kept for the next step: what a training step needs it needs again in the next, and fresh
// pages cost more than a pass over them. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

namespace effnet::layers {

class Workspace {
 public:
  Workspace();
  // Uninitialised, aligned to 64 bytes; goes back to the workspace when the last owner lets go, who may outlive it.
  // Blocks that stay unused for a while are given back to the system. Throws std::bad_alloc.
  std::shared_ptr<float> floats(std::int64_t count);

 private:
  class Pool;
  std::shared_ptr<Pool> pool_;
};

}  // namespace effnet::layers
