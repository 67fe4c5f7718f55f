#include "effnet/nn/parallel.h"

#include <ATen/Parallel.h>

namespace effnet::nn {

void parallel(std::int64_t count, const std::function<void(std::int64_t, std::int64_t)>& range) {
  at::parallel_for(0, count, 1, range);
}

float* scratch(std::int64_t floats) {
  struct Free {
    void operator()(float* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local std::int64_t size = 0;
  if (floats > size) {
    memory.reset();
    size = 0;
    memory.reset(
        static_cast<float*>(::operator new(static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{64})));
    size = floats;
  }
  return memory.get();
}

}  // namespace effnet::nn
