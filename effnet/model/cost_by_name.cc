#include "effnet/model/cost_by_name.h"

#include "effnet/base/names.h"
#include "effnet/model/scale_to_latency.h"

namespace effnet::model {

const graph::CountedCost* find_cost(std::string_view name) {
  const graph::CountedCost* const found = graph::find_counted_cost(name);
  if (found != nullptr || name == kLatencyCost) return found;
  throw unknown_name(ErrorCode::usage, "--cost: unknown cost", name, graph::cost_names());
}

arch::Cost cost_by_name(std::string_view name, int threads, double seconds) {
  if (const graph::CountedCost* cost = find_cost(name)) return cost->count;
  return [threads, seconds](const arch::ArchSpec& spec) { return time_network(spec, threads, seconds).median(); };
}

}  // namespace effnet::model
