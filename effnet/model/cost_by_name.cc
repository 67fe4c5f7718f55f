#include "effnet/model/cost_by_name.h"

#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/text.h"
#include "effnet/model/scale_to_latency.h"

namespace effnet::model {

const graph::CountedCost* find_cost(std::string_view name) {
  const graph::CountedCost* const found = graph::find_counted_cost(name);
  if (found != nullptr || name == kLatencyCost) return found;
  std::vector<std::string> known;
  for (const graph::CountedCost& cost : graph::counted_costs()) known.emplace_back(cost.name);
  known.emplace_back(kLatencyCost);
  throw usage_error("--cost: unknown cost (got {}, expected {})", in_quotes(name), one_of(known));
}

arch::Cost cost_by_name(std::string_view name, int threads, double seconds) {
  if (const graph::CountedCost* cost = find_cost(name)) return cost->count;
  return [threads, seconds](const arch::ArchSpec& spec) { return time_network(spec, threads, seconds).median(); };
}

}  // namespace effnet::model
