#include "effnet/model/scale_to_latency.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/engine/quick_weights.h"
#include "effnet/graph/counted_costs.h"
#include "effnet/graph/lower.h"

namespace effnet::model {
namespace {

constexpr double kSeconds = 0.5;                             // per measurement
constexpr double kCloseEnough = 1 - arch::kTargetTolerance;  // stop if the latency is from 0.97 to 1 times the target
constexpr double kTargetFraction = 0.985;                    // aim at the middle of this range
constexpr double kMinMacsRatio = 1.01;                       // stop if the bounds of the search are within 1 % in MACs
constexpr int kRounds = 16;

class NetworkTimer {
 public:
  NetworkTimer(const arch::ArchSpec& spec, int threads, ThreadPool& pool)
      : graph_(graph::lower(spec)),
        session_(graph_,
                 engine::PackedWeights::pack(graph_, engine::Parameters(engine::quick_weights(graph_)),
                                             {kernels::chosen_isa()}, pool),
                 {.batch = 1, .threads = threads}),
        input_(photo_like(graph_.input(), 1, pool)) {}

  void time(double seconds) {
    const Timing timing = measure(session_, input_, seconds);
    ms_.insert(ms_.end(), timing.ms.begin(), timing.ms.end());
  }

  // Requires at least one call of time().
  Timing timing() const {
    Timing all{ms_, std::accumulate(ms_.begin(), ms_.end(), 0.0) / static_cast<double>(ms_.size())};
    std::sort(all.ms.begin(), all.ms.end());
    return all;
  }

 private:
  graph::Graph graph_;
  engine::Session session_;
  std::vector<float> input_;
  std::vector<double> ms_;
};

}  // namespace

std::vector<Timing> time_networks(std::span<const arch::ArchSpec> specs, int threads, double seconds, int rounds) {
  ThreadPool pool(threads);
  std::vector<std::unique_ptr<NetworkTimer>> networks;
  for (const arch::ArchSpec& spec : specs) {
    check_interrupt();
    networks.push_back(std::make_unique<NetworkTimer>(spec, threads, pool));
  }
  for (int round = 0; round < rounds; ++round) {
    for (const auto& network : networks) network->time(seconds / rounds);
  }
  std::vector<Timing> result;
  result.reserve(networks.size());
  for (const auto& network : networks) result.push_back(network->timing());
  return result;
}

Timing time_network(const arch::ArchSpec& spec, int threads, double seconds) {
  return time_networks({&spec, 1}, threads, seconds, 1).front();
}

TimedScaling scale_to_latency(const arch::ArchSpec& base, double target_ms, const arch::RuleChoice& choice, int threads,
                              const Note& note) {
  const arch::Scaling smallest = arch::scaled_by(base, arch::kSmallestPhi, choice);
  const double smallest_macs = graph::count_macs(smallest.spec);
  std::optional<TimedScaling> best;
  double fits = 0;
  double too_slow = std::numeric_limits<double>::infinity();
  double budget = graph::count_macs(base) * target_ms / time_network(base, threads, kSeconds).median();
  for (int round = 0; round < kRounds && too_slow > kMinMacsRatio * fits; ++round) {
    const bool least = budget <= smallest_macs;
    const arch::Scaling scaling = least ? smallest : arch::solve(base, budget, choice, graph::count_macs);
    const double macs = graph::count_macs(scaling.spec);
    const Timing timing = time_network(scaling.spec, threads, kSeconds);
    const double ms = timing.median();
    if (note) note(fmt::format("{:.0f} MMACs: {:.3f} ms", macs * 1e-6, ms));
    if (ms <= target_ms) {
      if (!best || macs > graph::count_macs(best->scaling.spec)) best = TimedScaling{scaling, timing};
      if (ms >= kCloseEnough * target_ms) break;
      fits = std::max(fits, budget);
    } else if (least) {
      throw usage_error(
          "the target cannot be reached (got {:g} ms, expected at least {:.3g} ms, the latency of the smallest scaling "
          "of {})",
          target_ms, ms, base.name);
    } else {
      too_slow = std::min(too_slow, budget);
    }
    budget = macs * kTargetFraction * target_ms / ms;
    if (budget > fits && budget < too_slow) continue;
    budget = std::isinf(too_slow) ? 1.1 * fits : fits == 0 ? too_slow / 2 : std::sqrt(fits * too_slow);
  }
  if (!best)
    throw usage_error("the target cannot be reached (got {:g} ms, expected more: all {} measured scalings are slower)",
                      target_ms, kRounds);
  return *best;
}

}  // namespace effnet::model
