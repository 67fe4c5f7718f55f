#include "effnet/model/measure_latencies.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "effnet/base/cpu.h"
#include "effnet/base/shuffle.h"
#include "effnet/base/text.h"
#include "effnet/kernels/isa.h"
#include "effnet/model/scale_to_latency.h"

namespace effnet::model {
namespace {

constexpr int kPasses = 2;  // over all networks
constexpr int kRounds = 2;  // of the turns in a group

}  // namespace

std::vector<std::vector<std::size_t>> latency_groups(std::size_t networks, std::uint64_t seed) {
  std::vector<std::vector<std::size_t>> groups;
  for (std::uint64_t pass = 0; pass < kPasses; ++pass) {
    Draws draws({.seed = seed, .epoch = pass}, "order of latency measurements");
    const std::vector<std::size_t> order = shuffled(networks, draws);
    for (std::size_t begin = 0; begin < networks; begin += kLatencyGroup) {
      const auto part = std::span(order).subspan(begin, std::min(kLatencyGroup, networks - begin));
      groups.emplace_back(part.begin(), part.end());
    }
  }
  return groups;
}

std::vector<double> measure_latencies(std::span<const arch::ArchSpec> specs, const LatencyOptions& options) {
  std::vector<Timing> all(specs.size());
  std::size_t done = 0;
  for (const std::vector<std::size_t>& group : latency_groups(specs.size(), options.seed)) {
    std::vector<arch::ArchSpec> members;
    members.reserve(group.size());
    for (const std::size_t index : group) members.push_back(specs[index]);
    const std::vector<Timing> timings = time_networks(members, options.threads, options.seconds / kPasses, kRounds);
    for (std::size_t i = 0; i < group.size(); ++i) {
      std::vector<double>& ms = all[group[i]].ms;
      ms.insert(ms.end(), timings[i].ms.begin(), timings[i].ms.end());
    }
    done += group.size();
    if (options.note)
      options.note(fmt::format("{} of {} measurements", grouped(static_cast<std::int64_t>(done)),
                               grouped(static_cast<std::int64_t>(kPasses * specs.size()))));
  }
  std::vector<double> medians;
  medians.reserve(all.size());
  for (Timing& timing : all) {
    std::ranges::sort(timing.ms);
    medians.push_back(timing.median());
  }
  return medians;
}

std::string machine_text(int threads) {
  return fmt::format("{}, {}, {}", cpu_model(), kernels::name(kernels::chosen_isa()), count_of(threads, "thread"));
}

}  // namespace effnet::model
