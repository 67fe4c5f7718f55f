// Measures the latency of many networks, more than memory can hold at once: for a latency table
// (search/space/latency_table.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "effnet/arch/spec.h"
#include "effnet/model/model_handle.h"

namespace effnet::model {

struct LatencyOptions {
  int threads = 1;
  double seconds = 0.5;    // of measurement for each network
  std::uint64_t seed = 1;  // of the order of the networks
  Note note = {};          // receives the progress after each group
};

// Returns the median latency of each network in milliseconds, measured as in time_networks(). Every network is measured
// twice, in two groups of at most kLatencyGroup networks that take turns. The order of the networks is random. So a
// slower phase of a shared machine falls on networks of all kinds, and on at most half of a network's measurements
// unless it is long. Throws Error(interrupted) after a signal.
std::vector<double> measure_latencies(std::span<const arch::ArchSpec> specs, const LatencyOptions& options);
inline constexpr std::size_t kLatencyGroup = 16;

// The groups of measure_latencies(), as indices of `networks` networks: first all networks once, then all of them again
// in another order.
std::vector<std::vector<std::size_t>> latency_groups(std::size_t networks, std::uint64_t seed);

// What the measurements of a process depend on: "AMD EPYC 7B13, avx2, 2 threads".
std::string machine_text(int threads);

}  // namespace effnet::model
