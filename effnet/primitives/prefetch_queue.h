// A queue of the memory that the next range of work will read. GEMM and weight-gradient kernels prefetch its lines
// while they compute. Prefetching is a hint: results do not depend on it.
#pragma once

#include <cstdint>
#include <vector>

namespace effnet::primitives {

class PrefetchQueue {
 public:
  void clear() { ranges_.clear(), current_ = 0, left_ = kMost; }
  // Adds `lines` contiguous lines of 64 bytes. Lines beyond a total of 256 KB are ignored.
  void add(const float* from, std::int64_t lines);
  // Removes up to `lines` contiguous lines from the queue and returns the address of the first one. The queue may hold
  // fewer contiguous lines at this address; prefetching beyond them is allowed. Returns null if the queue is empty.
  const float* take(std::int64_t lines);

 private:
  static constexpr std::int64_t kMost = 4096;  // 256 KB, so that the panels of the current range of work stay in L2
  struct Range {
    const float* from;
    std::int64_t lines;
  };
  std::vector<Range> ranges_;
  std::size_t current_ = 0;
  std::int64_t left_ = kMost;
};

}  // namespace effnet::primitives
