#include "effnet/nn/parallel.h"

#include <ATen/Parallel.h>

#include <mutex>

#include "effnet/base/thread_pool.h"

namespace effnet::nn {
namespace {

std::shared_ptr<ThreadPool> pool_of(int threads) {
  static std::mutex mutex;
  static std::shared_ptr<ThreadPool> pool;
  const std::lock_guard lock(mutex);
  if (!pool || pool->threads() != threads) pool = std::make_shared<ThreadPool>(threads);
  return pool;
}

}  // namespace

void parallel(std::int64_t count, const std::function<void(std::int64_t, std::int64_t)>& range) {
  const int threads = at::get_num_threads();
  if (threads == 1 || count <= 1) {
    if (count > 0) range(0, count);
    return;
  }
  pool_of(threads)->parallel_for(count, range);
}

float* scratch(std::int64_t floats) {
  struct Free {
    void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<float, Free> memory;
  thread_local std::int64_t size = 0;
  if (floats > size) {
    memory.reset();
    size = 0;
    memory.reset(
        static_cast<float*>(::operator new (static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{64})));
    size = floats;
  }
  return memory.get();
}

}  // namespace effnet::nn
