// Compound scaling to a latency that is measured, not modelled.
#pragma once

#include "effnet/arch/scaling.h"
#include "effnet/cli/command.h"
#include "effnet/cli/measure.h"

namespace effnet::cli {

// A network timed with weights that mean nothing (engine/quick_weights.h): batch 1, its own resolution.
Timing time_network(const arch::ArchSpec& spec, int threads, double seconds);

struct TimedScaling {
  arch::Scaling scaling;
  Timing timing;
};
// The largest compound scaling whose median latency on `threads` cores stays below target_ms. Latency follows the MACs
// closely but not exactly: each round asks arch::solve for the MACs that the last measurement suggests, within what is
// known to fit and to be too slow, until the latency is within 3 % of the target or nothing lies between.
// Throws Error(usage) if even the smallest scaling takes longer.
TimedScaling scale_to_latency(const arch::ArchSpec& base, double target_ms, const arch::Coefficients& coefficients,
                              arch::Dimensions dimensions, int threads, Output& out);

}  // namespace effnet::cli
