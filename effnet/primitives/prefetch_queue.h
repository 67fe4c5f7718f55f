// What a chunk of work will read from memory next. GEMMs and weight gradients fetch a line with each of their steps, so
// that memory works while they compute. A hint: results do not depend on it.
#pragma once

#include <cstdint>
#include <vector>

namespace effnet::primitives {

class PrefetchQueue {
 public:
  void clear() { runs_.clear(), current_ = 0, left_ = kMost; }
  // `lines` lines of 64 bytes that follow each other. What is beyond 256 KB in all is left out.
  void add(const float* from, std::int64_t lines);
  // The address of `lines` lines that were not handed out yet; null if there are none.
  const float* take(std::int64_t lines);

 private:
  static constexpr std::int64_t kMost = 4096;  // 256 KB, so that a chunk's own panels stay in the second-level cache
  struct Run {
    const float* from;
    std::int64_t lines;
  };
  std::vector<Run> runs_;
  std::size_t current_ = 0;
  std::int64_t left_ = kMost;
};

}  // namespace effnet::primitives
