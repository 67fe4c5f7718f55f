// Compound scaling to a measured latency.
#pragma once

#include "effnet/arch/scaling.h"
#include "effnet/model/measure.h"
#include "effnet/model/model_handle.h"

namespace effnet::model {

// Times a network with weights for timing (engine/quick_weights.h): batch 1, nominal resolution.
Timing time_network(const arch::ArchSpec& spec, int threads, double seconds);

struct TimedScaling {
  arch::Scaling scaling;
  Timing timing;
};
// The largest compound scaling whose median latency with `threads` threads is at most target_ms. Latency is roughly
// proportional to MACs. Each round asks arch::solve for the MACs that the last measurement suggests, between the
// largest MACs that fit and the smallest that are too slow. It stops when the latency is within 3 % of the target or
// the interval is empty. `note` receives each measurement. Throws Error(usage) if the smallest scaling is too slow.
TimedScaling scale_to_latency(const arch::ArchSpec& base, double target_ms, const arch::Coefficients& coefficients,
                              arch::Dimensions dimensions, int threads, const Note& note = {});

}  // namespace effnet::model
