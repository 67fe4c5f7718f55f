// Threads for loops over independent pieces. Passed by reference to whatever works in parallel; never a singleton.
//
// Promise for callers: whatever a body computes for index i must not depend on how the range was cut, because the
// pieces depend on the number of threads. Then no result depends on it either.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "effnet/base/export.h"

namespace effnet {

class EFFNET_API ThreadPool {
 public:
  using Body = std::function<void(std::int64_t begin, std::int64_t end)>;

  // `threads` counts the calling thread, so 1 starts none and 2 starts one. Throws Error(usage) outside 1..1024 and
  // Error(environment) if the system refuses a thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;

  // Calls body(begin, end) on pieces that cover [0, n) once each, none shorter than `grain` except the last; returns
  // when all are done. The caller's thread works too; idle threads sleep. A call from inside a body runs inline, as
  // does a range of at most `grain`. The first exception of a body is rethrown here, and pieces not yet begun are left
  // out. Safe to call from several threads: the calls run one after the other.
  void parallel_for(std::int64_t n, const Body& body, std::int64_t grain = 1);

 private:
  struct EFFNET_HIDDEN Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace effnet
