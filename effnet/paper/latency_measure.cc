#include <fmt/format.h>

#include <algorithm>

#include "effnet/arch/family.h"
#include "effnet/base/cpu.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/kernels/isa.h"
#include "effnet/model/scale_to_latency.h"
#include "effnet/paper/latency.h"

namespace effnet::paper {
namespace {

LatencyResult::Row counted(const PrintedLatency& printed) {
  const graph::Graph graph = graph::lower(arch::variant(printed.network).spec);
  const graph::Costs costs = graph::costs(graph);
  return {.printed = printed, .params = costs.params, .macs = costs.macs, .resolution = graph.input().h};
}

void add_timing(LatencyResult::Row& row, const model::Timing& timing, double peak_gflops) {
  row.timing = timing;
  row.gflops = 2e-6 * static_cast<double>(row.macs) / row.timing.min();
  row.peak_share = row.gflops / peak_gflops;
}

}  // namespace

LatencyResult count_latencies() {
  LatencyResult result;
  for (const PrintedPair& pair : printed_latencies()) {
    result.rows.push_back(counted(pair.slow));
    result.rows.push_back(counted(pair.fast));
    const double slow = static_cast<double>((result.rows.end() - 2)->macs);
    result.pairs.push_back({.slow = pair.slow,
                            .fast = pair.fast,
                            .speedup = pair.speedup,
                            .ratio = 0,
                            .macs_ratio = slow / static_cast<double>(result.rows.back().macs)});
  }
  return result;
}

LatencyResult measure_latencies(int threads, double seconds, const std::function<void(std::string_view)>& progress) {
  // The two networks of a pair alternate, so that a slower phase of the machine affects both.
  constexpr int kRounds = 2;
  double peak = model::core_peak_gflops();
  LatencyResult result = count_latencies();
  for (std::size_t i = 0; i < result.pairs.size(); ++i) {
    LatencyResult::Pair& pair = result.pairs[i];
    progress(fmt::format("timing {} and {}", pair.slow.title, pair.fast.title));
    const arch::ArchSpec specs[] = {arch::variant(pair.slow.network).spec, arch::variant(pair.fast.network).spec};
    const std::vector<model::Timing> timings = model::time_networks(specs, threads, seconds, kRounds);
    peak = std::max(peak, model::core_peak_gflops());
    add_timing(result.rows[2 * i], timings[0], peak * threads);
    add_timing(result.rows[2 * i + 1], timings[1], peak * threads);
    pair.ratio = timings[0].min() / timings[1].min();
  }
  result.measured = true;
  result.cpu = cpu_model();
  result.isa = kernels::name(kernels::chosen_isa());
  result.threads = threads;
  result.peak_gflops = peak * threads;
  return result;
}

}  // namespace effnet::paper
