#include "effnet/primitives/prefetch_queue.h"

#include <algorithm>

#include "effnet/kernels/kernels.h"

namespace effnet::primitives {

void PrefetchQueue::add(const float* from, std::int64_t lines) {
  lines = std::min(lines, left_);
  if (lines > 0) runs_.push_back({from, lines});
  left_ -= lines;
}

const float* PrefetchQueue::take(std::int64_t lines) {
  if (current_ == runs_.size()) return nullptr;
  Run& run = runs_[current_];
  const float* const from = run.from;
  run.from += lines * kernels::kBlock;
  run.lines -= lines;
  if (run.lines <= 0) ++current_;
  return from;
}

}  // namespace effnet::primitives
