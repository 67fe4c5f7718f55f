// Table 4: latency on a CPU.
#include "effnet/paper/latency.h"

#include <fmt/format.h>

#include "effnet/paper/counts.h"
#include "effnet/paper/items.h"

namespace effnet::paper {
namespace {

Table row_table(const LatencyResult& result) {
  Table table{.columns = {{"name", "network", Source::label, Align::left},
                          {"params", "params", Source::computed},
                          {"paper.params", "paper", Source::quoted},
                          {"macs", "MACs", Source::computed},
                          {"paper.macs", "paper", Source::quoted},
                          {"resolution", "px", Source::computed},
                          {"latency_ms.min", "measured: ms, min", Source::measured},
                          {"latency_ms.median", "median", Source::measured},
                          {"runs", "runs", Source::measured},
                          {"gflops", "GFLOP/s", Source::measured, Align::right, 1},
                          {"peak_share", "of peak", Source::measured, Align::right, 0, " %", 100},
                          {"paper.name", "", Source::quoted},
                          {"paper.latency_s", "paper: s", Source::quoted},
                          {"paper.accuracy", "paper: top-1 %", Source::quoted}},
              .rows = {}};
  for (const LatencyResult::Row& row : result.rows) {
    Value min, median, runs, gflops, share;
    if (!row.timing.ms.empty()) {
      min = row.timing.min(), median = row.timing.median();
      runs = static_cast<std::int64_t>(row.timing.ms.size());
      gflops = row.gflops, share = row.peak_share;
    }
    table.rows.push_back({row.printed.network, row.params, value_of(row.printed.params), row.macs,
                          value_of(row.printed.macs), row.resolution, min, median, runs, gflops, share,
                          value_of(row.printed.title), value_of(row.printed.latency_s), value_of(row.printed.top1)});
  }
  return table;
}

Table pair_table(const LatencyResult& result) {
  Table table{.key = "pairs",
              .title = "Ratios of the pairs",
              .columns = {{"slow", "slow network", Source::label, Align::left},
                          {"fast", "fast network", Source::label, Align::left},
                          {"ratio", "measured: time ratio", Source::measured, Align::right, 1, "x"},
                          {"paper.speedup", "paper: speed-up", Source::quoted},
                          {"macs_ratio", "MACs ratio", Source::computed, Align::right, 1, "x"}},
              .rows = {}};
  for (const LatencyResult::Pair& pair : result.pairs) {
    table.rows.push_back({pair.slow.network, pair.fast.network, pair.ratio > 0 ? Value(pair.ratio) : Value(),
                          value_of(pair.speedup), pair.macs_ratio});
  }
  return table;
}

}  // namespace

Item latency_item(const LatencyResult& result) {
  Item item{
      .id = "table4",
      .title = "Table 4: latency on one CPU",
      .about =
          "The paper: batch 1 on one core of an Intel Xeon E5-2690, the mean of 20 runs, by a framework that it "
          "does not name.",
      .tables = {row_table(result), pair_table(result)},
      .drawings = {},
      .notes = {"The paper's accuracies 78.8 and 84.4 of B1 and B7 are those of its first version; Table 2 prints "
                "79.1 and 84.3."}};
  if (!result.measured) {
    item.notes.emplace_back("Nothing was measured (--no-timing).");
    return item;
  }
  item.about +=
      fmt::format(" Measured: {}, {}, {} thread{}, batch 1, fp32; peak {:.1f} GFLOP/s, measured in the same run.",
                  result.cpu, result.isa, result.threads, result.threads == 1 ? "" : "s", result.peak_gflops);
  item.facts["machine"] = {{"cpu", result.cpu}, {"isa", result.isa},   {"threads", result.threads},
                           {"batch", 1},        {"precision", "fp32"}, {"peak_gflops", result.peak_gflops}};
  item.facts["weights"] = "any: timing does not depend on them";
  return item;
}

Item table4(const Context& context) {
  return latency_item(context.timing ? measure_latencies(context.threads, context.seconds, context.progress)
                                     : count_latencies());
}

}  // namespace effnet::paper
