// Timing of sessions, generated inputs for checks, differences of results, and properties of the process and the CPU.
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
  double percentile(double p) const;  // linear interpolation between neighbours
};

// Warms up with one or more runs. Then runs until `seconds` have passed and there are at least 10 measurements (3 if
// one run takes more than a second). Throws Error(interrupted) between runs.
Timing measure(const std::function<void()>& run, double seconds);
Timing measure(engine::Session& session, std::span<const float> input, double seconds);

// The differences between two results of the same shape. max_rel is the largest difference divided by the largest
// magnitude of `expected`. Both are NaN if either result contains NaN. max_rel is 0 if there is no difference.
struct Difference {
  double max_abs = 0, max_rel = 0;
};
Difference difference(std::span<const float> values, std::span<const float> expected);

// Returns batch x C x H x W values: synthetic images with a photograph's spectrum, always the same. White noise would
// make deep networks with random weights chaotic (engine/random_weights.h).
std::vector<float> photo_like(const Chw& shape, std::int64_t batch, ThreadPool& pool);
std::vector<float> seeded_input(Size size, std::uint64_t seed);  // 3 x h x w standard normal values

// The measured peak of one core in GFLOP/s, with the best instruction set of this CPU.
double core_peak_gflops();

}  // namespace effnet::model
