// Timing of sessions, inputs made up for checks, differences of results, and what this process and core can do.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "effnet/base/shape.h"
#include "effnet/base/thread_pool.h"
#include "effnet/engine/session.h"

namespace effnet::model {

struct Timing {
  std::vector<double> ms;  // of every run, ascending
  double mean_ms = 0;
  double min() const { return ms.front(); }
  double median() const { return percentile(50); }
  double percentile(double p) const;  // between the neighbours, linearly
};

// One run or more to warm up, then runs until `seconds` have passed and there are 10, or 3 if a run takes over a
// second. Throws Error(interrupted) between runs.
Timing measure(const std::function<void()>& run, double seconds);
Timing measure(engine::Session& session, std::span<const float> input, double seconds);

// Between two results of one shape. max_rel: the largest difference over the largest magnitude of `expected`; NaN where
// either holds NaN. 0 over 0 is 0.
struct Difference {
  double max_abs = 0, max_rel = 0;
};
Difference difference(std::span<const float> values, std::span<const float> expected);

// batch x C x H x W: synthetic images with a photograph's spectrum (white noise drives deep networks with random
// weights into chaos, engine/random_weights.h), always the same.
std::vector<float> photo_like(const Chw& shape, std::int64_t batch, ThreadPool& pool);
std::vector<float> seeded_input(Size size, std::uint64_t seed);  // 3 x h x w standard normal values

// The most memory this process ever had resident: VmHWM of /proc/self/status.
std::int64_t peak_rss_bytes();

// GFLOP/s of one core with the best set this CPU has.
double core_peak_gflops();

}  // namespace effnet::model
