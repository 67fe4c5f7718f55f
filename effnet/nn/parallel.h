// Loops of the fused blocks over torch's intra-op threads, without torch's headers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <new>

namespace effnet::nn {

// range(first, last) for parts of 0..count that cover it. What a task computes may not depend on the parts, so that
// results do not depend on the number of threads.
void parallel(std::int64_t count, const std::function<void(std::int64_t first, std::int64_t last)>& range);

// At least `floats` uninitialised floats of the calling thread, valid until its next call; 64-byte aligned.
float* scratch(std::int64_t floats);

}  // namespace effnet::nn
