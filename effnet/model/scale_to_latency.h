// Timing of networks that have no weights, and scaling to a measured latency.
#pragma once

#include <span>
#include <vector>

#include "effnet/arch/scaling.h"
#include "effnet/model/measure.h"
#include "effnet/model/model_handle.h"

namespace effnet::model {

// Times networks with weights for timing (engine/quick_weights.h): batch 1, nominal resolution, `seconds` for each
// network. The networks take turns: each round measures all of them for a part of their time. So a slower phase of the
// machine affects all of them. All networks are in memory at the same time. Returns one Timing per network.
std::vector<Timing> time_networks(std::span<const arch::ArchSpec> specs, int threads, double seconds, int rounds);
Timing time_network(const arch::ArchSpec& spec, int threads, double seconds);

struct TimedScaling {
  arch::Scaling scaling;
  Timing timing;
};
// Returns, of the scalings by the rule that were measured, the one with the most MACs whose median latency with
// `threads` threads was at most target_ms. Latency is roughly proportional to MACs. So each round calculates a number
// of MACs from the last measurement, between the largest number that was fast enough and the smallest that was too
// slow, and measures the scaling that arch::solve finds for it. The search stops when the latency is within 3 % of the
// target, or when these two numbers differ by at most 1 %. `note` receives each measurement. Throws Error(usage) if the
// target cannot be reached.
TimedScaling scale_to_latency(const arch::ArchSpec& base, double target_ms, const arch::RuleChoice& choice, int threads,
                              const Note& note = {});

}  // namespace effnet::model
