// Loops of the fused blocks over as many threads as torch uses in an operation (torch::set_num_threads), on a team of
// effnet's own: at::parallel_for lives in a header that is parallel only where the compiler's OpenMP is torch's, and
// its threads take longer to start than many of these loops to run. Denormals are flushed to zero.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <new>

namespace effnet::nn {

// Each pass over a batch goes the other way than the one before: what it reads first was written last and may still be
// in the last-level cache. A thread stays with its share, so with its images.
enum class Way { from_first, from_last };
// The i-th of first..last, going `way`.
constexpr std::int64_t on_way(Way way, std::int64_t first, std::int64_t last, std::int64_t i) {
  return way == Way::from_first ? first + i : last - 1 - i;
}

// range(first, last) for parts of 0..count that cover it. What a task computes may not depend on the parts, so that
// results do not depend on the number of threads. The first exception is rethrown. Inside of a range it is a plain
// call.
using Range = std::function<void(std::int64_t first, std::int64_t last)>;
void parallel(std::int64_t count, Way way, const Range& range);
inline void parallel(std::int64_t count, const Range& range) { parallel(count, Way::from_first, range); }

// Keeps the team awake between the loops of one forward or backward step. One scope at a time runs; others wait. Not
// with `keep` false: where the step waits for other processes, awake threads would take their cores.
class ParallelScope {
 public:
  explicit ParallelScope(bool keep = true);
  ~ParallelScope();
  ParallelScope(const ParallelScope&) = delete;
  ParallelScope& operator=(const ParallelScope&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// At least `floats` uninitialised floats of the calling thread, valid until its next call; 64-byte aligned.
float* scratch(std::int64_t floats);

}  // namespace effnet::nn
