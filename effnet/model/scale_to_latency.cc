#include "effnet/model/scale_to_latency.h"

#include <cmath>
#include <limits>
#include <optional>

#include "effnet/base/error.h"
#include "effnet/engine/quick_weights.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::model {
namespace {

constexpr double kSeconds = 0.5;           // per measurement
constexpr double kCloseEnough = 0.97;      // stop if the latency is from 0.97 to 1 times the target
constexpr double kTargetFraction = 0.985;  // aim at the middle of this range
constexpr double kMinMacsRatio = 1.01;     // stop if the bounds of the search are within 1 % in MACs
constexpr int kRounds = 16;
constexpr double kSmallestPhi = -20;  // as in arch::solve

double macs_of(const arch::ArchSpec& spec) { return static_cast<double>(graph::costs(graph::lower(spec)).macs); }

}  // namespace

Timing time_network(const arch::ArchSpec& spec, int threads, double seconds) {
  ThreadPool pool(threads);
  const graph::Graph graph = graph::lower(spec);
  const auto weights = engine::PackedWeights::pack(graph, engine::Parameters(engine::quick_weights(graph)),
                                                   {kernels::chosen_isa()}, pool);
  engine::Session session(graph, weights, {.batch = 1, .threads = threads});
  return measure(session, photo_like(graph.input(), 1, pool), seconds);
}

TimedScaling scale_to_latency(const arch::ArchSpec& base, double target_ms, const arch::Coefficients& coefficients,
                              arch::Dimensions dimensions, int threads, const Note& note) {
  const arch::Scaling smallest = arch::compound(base, kSmallestPhi, coefficients, dimensions);
  const double smallest_macs = macs_of(smallest.spec);
  std::optional<TimedScaling> best;
  double fits = 0;
  double too_slow = std::numeric_limits<double>::infinity();
  double budget = macs_of(base) * target_ms / time_network(base, threads, kSeconds).median();
  for (int round = 0; round < kRounds && too_slow > kMinMacsRatio * fits; ++round) {
    const bool least = budget <= smallest_macs;
    const arch::Scaling scaling = least ? smallest : arch::solve(base, budget, coefficients, dimensions, macs_of);
    const double macs = macs_of(scaling.spec);
    const Timing timing = time_network(scaling.spec, threads, kSeconds);
    const double ms = timing.median();
    if (note) note(fmt::format("{:.0f} MMACs: {:.3f} ms", macs * 1e-6, ms));
    if (ms <= target_ms) {
      if (!best || macs > macs_of(best->scaling.spec)) best = TimedScaling{scaling, timing};
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
