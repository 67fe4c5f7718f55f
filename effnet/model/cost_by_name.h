// The costs that a search or a frontier may be limited by: those that are counted, and the latency, which is measured.
#pragma once

#include <string_view>

#include "effnet/arch/scaling.h"
#include "effnet/graph/counted_costs.h"

namespace effnet::model {

using graph::kLatencyCost;

// The counted cost of this name; null for the latency. Throws Error(usage) for another name.
const graph::CountedCost* find_cost(std::string_view name);

// The cost as a function. The latency is the median in milliseconds of batch 1, measured for `seconds` with `threads`
// threads. Throws Error(usage) for an unknown name.
arch::Cost cost_by_name(std::string_view name, int threads, double seconds);

}  // namespace effnet::model
