#include "effnet/kernels/peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "effnet/kernels/kernels.h"

namespace effnet::kernels {

double measured_peak_gflops(Isa isa, double seconds) {
  using Clock = std::chrono::steady_clock;
  require(isa);
  const KernelSet& set = kernel_set({isa});
  constexpr std::int64_t kSteps = 32'000;  // of one slice
  std::vector<float> values(static_cast<std::size_t>(set.peak_chains * kBlock), 1.0F);
  double best_s = 1e9;
  const auto begin = Clock::now();
  Clock::time_point slice = begin;
  while (std::chrono::duration<double>(slice - begin).count() < seconds || best_s == 1e9) {
    set.peak_loop(kSteps, values.data());
    const auto end = Clock::now();
    best_s = std::min(best_s, std::chrono::duration<double>(end - slice).count());
    slice = end;
  }
  return static_cast<double>(kSteps * 2 * set.peak_chains * kBlock) / best_s * 1e-9;
}

}  // namespace effnet::kernels
