// Times training steps (forward and backward, no optimiser) of a named network on random images:
//
//   training_bench MODEL RESOLUTION BATCH THREADS SECONDS fused|plain
//
// Prints one line of JSON: images/s, GFLOP/s (a step counts as three forward passes) and the fraction of the threads'
// peak, all for the fastest step; the times of the fastest and the median step and of the fastest forward pass; the
// lowest CPU time of a step, which other load on the machine affects less; the peak memory of the process. The first
// step is not counted.
#include <fmt/format.h>
#include <sys/resource.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

#include "effnet/arch/family.h"
#include "effnet/base/error.h"
#include "effnet/base/openmp.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/lower.h"
#include "effnet/kernels/peak.h"
#include "effnet/nn/network.h"

namespace effnet::nn {
namespace {

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void run(const std::string& model, std::int64_t resolution, std::int64_t batch, int threads, double seconds,
         bool fused) {
  torch::set_num_threads(threads);
  const graph::Graph graph = graph::lower(arch::variant(model).spec, {.resolution = Size{resolution, resolution}});
  Network network(graph, ParameterStore::initialised(graph, 1), {.fused = fused});
  const torch::Tensor images =
      torch::randn({batch, 3, resolution, resolution}).contiguous(torch::MemoryFormat::ChannelsLast);
  const torch::Tensor labels = torch::randint(graph.classes(), {batch}, torch::kLong);
  ForwardContext pass{.training = true, .seed = 1};
  for (std::int64_t i = 0; i < batch; ++i) pass.samples.push_back(i);

  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity(), forward = best, processor = best, spent = 0, last_loss = 0;
  std::vector<double> times;
  for (int step = 0; step < 3 || spent < seconds; ++step) {
    const auto start = Clock::now();
    const double before = processor_seconds();
    const torch::Tensor loss = torch::cross_entropy_loss(network.forward(images, pass), labels);
    const double forward_time = std::chrono::duration<double>(Clock::now() - start).count();
    loss.backward();
    const double time = std::chrono::duration<double>(Clock::now() - start).count();
    const double busy = processor_seconds() - before;
    network.zero_grad();
    if (step > 0) processor = std::min(processor, busy);
    if (step > 0) forward = std::min(forward, forward_time);
    if (step > 0) best = std::min(best, time);
    if (step > 0) times.push_back(time);
    last_loss = loss.item<double>();
    spent += time;
  }
  const double flops = 6.0 * static_cast<double>(graph::costs(graph).macs * batch) / best * 1e-9;
  const double peak = kernels::measured_peak_gflops(kernels::chosen_isa(), 0.1) * threads;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::sort(times.begin(), times.end());
  fmt::print(
      "{{\"model\": \"{}\", \"resolution\": {}, \"batch\": {}, \"threads\": {}, \"steps\": \"{}\", "
      "\"images_per_second\": "
      "{:.2f}, \"gflops\": {:.1f}, \"share_of_peak\": {:.3f}, \"best_ms\": {:.1f}, \"median_ms\": {:.1f}, "
      "\"forward_ms\": {:.1f}, \"processor_ms\": {:.1f}, \"runs\": {}, \"memory_mb\": {}, \"loss\": {:.6f}}}\n",
      model, resolution, batch, threads, fused ? "fused" : "plain", static_cast<double>(batch) / best, flops,
      flops / peak, best * 1e3, times[times.size() / 2] * 1e3, forward * 1e3, processor * 1e3, times.size(),
      usage.ru_maxrss / 1024, last_loss);
}

}  // namespace
}  // namespace effnet::nn

int main(int argc, char** argv) {
  try {
    if (argc != 7) {
      throw effnet::usage_error(
          "wrong number of arguments (got {}, expected 6: MODEL RESOLUTION BATCH THREADS SECONDS fused|plain)",
          argc - 1);
    }
    const bool fused = std::string(argv[6]) == "fused";
    if (fused) effnet::restart_with_passive_openmp(argv);  // as effnet-train does; plain steps are faster without it
    effnet::nn::run(argv[1], std::stoll(argv[2]), std::stoll(argv[3]), std::stoi(argv[4]), std::stod(argv[5]), fused);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "training_bench: %s\n", error.what());
    return 1;
  }
}
