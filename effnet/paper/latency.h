// The measurement of Table 4: latency of batch 1 on a CPU.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/model/measure.h"
#include "effnet/paper/item.h"
#include "effnet/paper/printed.h"

namespace effnet::paper {

struct LatencyResult {
  struct Row {
    PrintedLatency printed = {};
    std::int64_t params = 0, macs = 0, resolution = 0;
    model::Timing timing = {};  // empty: not measured
    double gflops = 0, peak_share = 0;
  };
  struct Pair {
    PrintedLatency slow = {}, fast = {};
    Text speedup = nullptr;  // as printed
    double ratio = 0;        // 0: not measured
    double macs_ratio = 0;
  };
  std::vector<Row> rows;
  std::vector<Pair> pairs;
  bool measured = false;
  // Of the measurement:
  std::string cpu, isa;
  int threads = 1;
  double peak_gflops = 0;  // of all threads together
};

// The counts of the networks, without a measurement.
LatencyResult count_latencies();
// Also measures each network for `seconds`. The two networks of a pair run in turns. Throws Error(interrupted).
LatencyResult measure_latencies(int threads, double seconds, const std::function<void(std::string_view)>& progress);
Item latency_item(const LatencyResult& result);

}  // namespace effnet::paper
