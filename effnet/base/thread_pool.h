// A thread pool for loops over independent indices. It is passed by reference to code that works in parallel; it is
// never a singleton.
//
// The caller must make sure that the result for index i does not depend on the range in which i is computed, because
// the ranges depend on the number of threads. Then the results are the same for any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "effnet/base/export.h"

namespace effnet {

class EFFNET_API ThreadPool {
 public:
  using Body = std::function<void(std::int64_t begin, std::int64_t end)>;

  // `threads` includes the calling thread: 1 starts no thread, 2 starts one. Throws Error(usage) outside 1..1024 and
  // Error(environment) if the system cannot start a thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;

  // Calls body(begin, end) for ranges that together cover [0, n) exactly once, and returns when all have finished. Only
  // the last range may be shorter than `grain`. The calling thread works too; idle threads sleep. A call from inside a
  // body, or with n <= grain, runs as one range on the calling thread. The first exception of a body is rethrown here;
  // ranges that have not begun are skipped. May be called from several threads: the calls run one after the other.
  void parallel_for(std::int64_t n, const Body& body, std::int64_t grain = 1);

 private:
  struct EFFNET_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet
