#include "effnet/model/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/philox.h"
#include "effnet/engine/synthetic_images.h"
#include "effnet/kernels/peak.h"

namespace effnet::model {
namespace {

using Clock = std::chrono::steady_clock;
double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

double Timing::percentile(double p) const {
  const double at = p / 100 * static_cast<double>(ms.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, ms.size() - 1);
  return ms[low] + (at - static_cast<double>(low)) * (ms[high] - ms[low]);
}

Timing measure(const std::function<void()>& run, double seconds) {
  constexpr std::size_t kMinRuns = 10;
  constexpr std::size_t kMinLongRuns = 3;
  constexpr double kLongRunMs = 1000;
  constexpr double kWarmUpMs = 50;  // enough for clock frequency and caches to settle
  const auto begin_warm = Clock::now();
  do {
    check_interrupt();
    run();
  } while (ms_since(begin_warm) < std::min(kWarmUpMs, 1000 * seconds));

  Timing timing;
  const auto begin = Clock::now();
  do {
    check_interrupt();
    const auto start = Clock::now();
    run();
    timing.ms.push_back(ms_since(start));
  } while (ms_since(begin) < 1000 * seconds ||
           timing.ms.size() < (timing.ms.front() > kLongRunMs ? kMinLongRuns : kMinRuns));
  timing.mean_ms = std::accumulate(timing.ms.begin(), timing.ms.end(), 0.0) / static_cast<double>(timing.ms.size());
  std::sort(timing.ms.begin(), timing.ms.end());
  return timing;
}

Timing measure(engine::Session& session, std::span<const float> input, double seconds) {
  std::vector<float> logits(static_cast<std::size_t>(session.batch() * session.classes()));
  return measure([&] { session.run(input, logits); }, seconds);
}

Difference difference(std::span<const float> values, std::span<const float> expected) {
  EFFNET_CHECK(values.size() == expected.size());
  double largest = 0;
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double apart = std::abs(double{values[i]} - double{expected[i]});
    const double magnitude = std::abs(double{expected[i]});
    if (std::isnan(apart)) return {apart, apart};
    most = std::max(most, apart);
    largest = std::max(largest, magnitude);
  }
  return {most, most == 0 ? 0 : most / largest};
}

std::vector<float> photo_like(const Chw& shape, std::int64_t batch, ThreadPool& pool) {
  constexpr std::uint64_t kSeed = 1;  // other images than those that calibrate random weights
  const std::vector<float> images = engine::synthetic_images(shape, 2 * batch, kSeed, pool);
  const std::int64_t image = shape.numel();
  std::vector<float> odd(static_cast<std::size_t>(batch * image));
  for (std::int64_t i = 0; i < batch; ++i)
    std::copy_n(images.begin() + (2 * i + 1) * image, image, odd.begin() + i * image);
  return odd;
}

std::vector<float> seeded_input(Size size, std::uint64_t seed) {
  std::vector<float> input(static_cast<std::size_t>(3 * size.h * size.w));
  Philox(seed, stream_of("seeded input")).fill_normal(input, 0, 1.0F);
  return input;
}

double core_peak_gflops() {
  constexpr double kSeconds = 0.1;
  return kernels::measured_peak_gflops(kernels::usable_sets().back(), kSeconds);
}

}  // namespace effnet::model
