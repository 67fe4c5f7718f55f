// Large memory of the fused blocks, kept for the next step: what a training step needs it needs again in the next, and
// fresh pages cost more than a pass over them. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>

namespace effnet::nn {

// Uninitialised, aligned to 64 bytes; goes back to the pool when the last owner lets go. Blocks that no step has asked
// for in a while are given back to the system. Throws std::bad_alloc.
std::shared_ptr<float> workspace(std::int64_t floats);

}  // namespace effnet::nn
