// Parallel loops on a team of threads. Denormals are flushed to zero in all threads of the team, including the calling
// thread while it holds the team.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include "effnet/base/thread_team.h"
#include "effnet/tensor/memory.h"

namespace effnet::layers {

// Direction of a pass over a batch. When a pass runs in the opposite direction to the previous one, it starts with the
// data that was written last and may still be in the last-level cache. A thread processes the same range of indices,
// and so the same images, in both directions.
enum class LoopOrder { forward, reverse };
// Returns the i-th index (from 0) of the range [first, last) in the given order.
constexpr std::int64_t ordered_index(LoopOrder order, std::int64_t first, std::int64_t last, std::int64_t i) {
  return order == LoopOrder::forward ? first + i : last - 1 - i;
}

// Scratch memory of one thread, reused by later loops.
class Scratch {
 public:
  // Returns at least `count` uninitialised floats, aligned to 64 bytes and valid until the next call. Throws
  // std::bad_alloc; the trainer then retries with smaller micro-batches.
  float* floats(std::int64_t count);

 private:
  tensor::Memory memory_;
  std::int64_t size_ = 0;
};

// Threads and their scratch memory. One caller holds the team at a time; other callers wait.
class Team {
 private:
  friend class Loops;
  std::mutex busy_;
  std::unique_ptr<ThreadTeam> threads_;  // recreated when the number of threads changes
  std::vector<Scratch> scratch_;         // one for each member of the team
};

class Loops {
 public:
  // Loops on `threads` threads (at least 1) of `team`. The team must outlive this object.
  //
  // hold = true: this object holds the team for its whole life, and the threads stay awake between loops.
  // hold = false: each loop acquires and wakes the team, then releases it. This is needed where a layer waits for other
  // processes (BatchNormMode::sum_all): awake threads would occupy the cores that those processes need.
  Loops(Team& team, int threads, bool hold = true);
  ~Loops();
  Loops(const Loops&) = delete;
  Loops& operator=(const Loops&) = delete;

  // Divides [0, count) into ranges and calls range(first, last) or range(first, last, scratch) once for each range. The
  // result for an index must not depend on the division, so that results do not depend on the number of threads. The
  // first exception is rethrown. parallel() must not be called from within `range`.
  template <class Body>
  void parallel(std::int64_t count, LoopOrder order, const Body& range) const {
    if constexpr (std::is_invocable_v<Body, std::int64_t, std::int64_t>) {
      run(count, order, [&](std::int64_t first, std::int64_t last, Scratch&) { range(first, last); });
    } else {
      run(count, order, range);
    }
  }
  template <class Body>
  void parallel(std::int64_t count, const Body& range) const {
    parallel(count, LoopOrder::forward, range);
  }

 private:
  struct Hold;
  using Range = std::function<void(std::int64_t first, std::int64_t last, Scratch& scratch)>;
  void run(std::int64_t count, LoopOrder order, const Range& range) const;

  Team& team_;
  const int threads_;
  std::unique_ptr<Hold> hold_;
};

}  // namespace effnet::layers
