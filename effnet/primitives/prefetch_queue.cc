#include "effnet/primitives/prefetch_queue.h"

#include <algorithm>

#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

void PrefetchQueue::add(const float* from, std::int64_t lines) {
  lines = std::min(lines, left_);
  if (lines > 0) ranges_.push_back({from, lines});
  left_ -= lines;
}

const float* PrefetchQueue::take(std::int64_t lines) {
  if (current_ == ranges_.size()) return nullptr;
  Range& range = ranges_[current_];
  const float* const from = range.from;
  range.from += lines * kernels::kBlock;
  range.lines -= lines;
  if (range.lines <= 0) ++current_;
  return from;
}

}  // namespace effnet::primitives
