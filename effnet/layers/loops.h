// Loops of layers over a team of threads. Denormals are flushed to zero, in the caller too while it holds the team.
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

// Each pass over a batch goes the other way than the one before: what it reads first was written last and may still be
// in the last-level cache. A thread stays with its share, so with its images.
enum class LoopOrder { forward, reverse };
// The i-th of first..last, going `way`.
constexpr std::int64_t ordered_index(LoopOrder order, std::int64_t first, std::int64_t last, std::int64_t i) {
  return order == LoopOrder::forward ? first + i : last - 1 - i;
}

// Memory of one thread, kept from loop to loop.
class Scratch {
 public:
  // At least `count` uninitialised floats, valid until the next call; 64-byte aligned. Throws std::bad_alloc: a trainer
  // knows it, and tries fewer images at a time.
  float* floats(std::int64_t count);

 private:
  tensor::Memory memory_;
  std::int64_t size_ = 0;
};

// Threads and their scratch memory. One caller at a time has it; others wait.
class Team {
 private:
  friend class Loops;
  std::mutex busy_;
  std::unique_ptr<ThreadTeam> threads_;  // for as long as the number of threads stays the same
  std::vector<Scratch> scratch_;         // by member
};

class Loops {
 public:
  // Over `threads` threads, at least 1, of the team, which must outlive this. hold: the team is this object's alone and
  // stays awake from loop to loop. Not where a layer waits for other processes (NormMode::sum_all), whose cores awake
  // threads would take: then a loop wakes the team, and others may have it in between.
  Loops(Team& team, int threads, bool hold = true);
  ~Loops();
  Loops(const Loops&) = delete;
  Loops& operator=(const Loops&) = delete;

  // range(first, last) or range(first, last, scratch) for parts of 0..count that cover it. What a task computes may not
  // depend on the parts, so that results do not depend on the number of threads. The first exception is rethrown. Not
  // from inside of a range.
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
