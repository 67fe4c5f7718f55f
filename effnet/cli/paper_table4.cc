#include <algorithm>
#include <array>

#include "effnet/arch/family.h"
#include "effnet/base/cpu.h"
#include "effnet/cli/paper.h"
#include "effnet/engine/quick_weights.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"

namespace effnet::cli {
namespace {

struct Pair {
  PaperEntry slow, fast;
  const char* speedup;
};
constexpr std::array kTable4{Pair{{"resnet152", "ResNet-152", "77.8", "0.554", "60M", "11B"},
                                  {"efficientnet_b1", "EfficientNet-B1", "78.8", "0.098", "7.8M", "0.70B"},
                                  "5.7x"},
                             Pair{{"amoebanet_b", "GPipe", "84.3", "19.0", "557M", nullptr},
                                  {"efficientnet_b7", "EfficientNet-B7", "84.4", "3.1", "66M", "37B"},
                                  "6.1x"}};

// A network with arbitrary weights, for timing.
struct TimedNetwork {
  PaperEntry entry;
  graph::Graph graph;
  engine::Session session;
  std::vector<float> input;
  std::vector<double> ms;

  TimedNetwork(const PaperEntry& what, int threads, ThreadPool& pool)
      : entry(what),
        graph(graph::lower(arch::variant(what.name).spec)),
        session(graph,
                engine::PackedWeights::pack(graph, engine::Parameters(engine::quick_weights(graph)),
                                            {kernels::chosen_isa()}, pool),
                {.batch = 1, .threads = threads}),
        input(model::photo_like(graph.input(), 1, pool)) {}

  void time(double seconds) {
    const Timing timing = model::measure(session, input, seconds);
    ms.insert(ms.end(), timing.ms.begin(), timing.ms.end());
    std::sort(ms.begin(), ms.end());
  }
};

PaperResult::Row row_of(const TimedNetwork& network, double peak_gflops) {
  const std::int64_t macs = graph::costs(network.graph).macs;
  PaperResult::Row row{.paper = network.entry,
                       .params = graph::costs(network.graph).params,
                       .macs = macs,
                       .resolution = network.graph.input().h,
                       .timing = {network.ms, 0}};
  row.gflops = 2e-6 * static_cast<double>(macs) / row.timing.min();
  row.peak_share = row.gflops / peak_gflops;
  return row;
}

}  // namespace

PaperResult time_table4(int threads, double seconds, Output& out) {
  // The two networks of a pair alternate, so that a slower phase of the machine affects both.
  constexpr int kRounds = 2;
  ThreadPool pool(threads);
  double peak = model::core_peak_gflops();
  PaperResult result;
  for (const Pair& pair : kTable4) {
    out.note(fmt::format("timing {} and {}", pair.slow.title, pair.fast.title));
    TimedNetwork slow(pair.slow, threads, pool);
    TimedNetwork fast(pair.fast, threads, pool);
    for (int round = 0; round < kRounds; ++round) {
      slow.time(seconds / kRounds);
      fast.time(seconds / kRounds);
    }
    peak = std::max(peak, model::core_peak_gflops());
    for (const TimedNetwork* network : {&slow, &fast}) result.rows.push_back(row_of(*network, peak * threads));
    const PaperResult::Row& fast_row = result.rows.back();
    const PaperResult::Row& slow_row = *(result.rows.end() - 2);
    result.pairs.push_back({.slow = pair.slow,
                            .fast = pair.fast,
                            .speedup = pair.speedup,
                            .ratio = slow.ms.front() / fast.ms.front(),
                            .macs_ratio = static_cast<double>(slow_row.macs) / static_cast<double>(fast_row.macs)});
  }
  result.cpu = cpu_model();
  result.isa = kernels::name(kernels::chosen_isa());
  result.threads = threads;
  result.peak_gflops = peak * threads;
  return result;
}

}  // namespace effnet::cli
