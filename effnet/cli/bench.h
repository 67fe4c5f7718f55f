// effnet bench MODEL: measures the speed of a network on this machine, in total and per step.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/load.h"
#include "effnet/engine/session.h"
#include "effnet/model/measure.h"

namespace effnet::cli {

struct BenchOptions {
  std::string model, precision = "fp32", resolution, isa, without;
  std::vector<int> batch{1};
  double seconds = 2;
  bool layers = false, check = false, tune = false;
  LoadOptions load;
};
void declare_options(CLI::App& command, BenchOptions& options);

// One combination of resolution, batch and threads.
struct BenchCase {
  Size size;
  std::int64_t batch = 1;
  int threads = 1;
};

// A step of the plan, with its minimum time over several profiled runs.
struct BenchLayer {
  engine::StepInfo step;
  double gflops = 0, peak_share = 0, gbytes_per_second = 0;
};

struct BenchRow {
  BenchCase what;
  std::string model, weights, precision;
  kernels::Isa isa = kernels::Isa::portable;
  model::Timing timing;
  double images_per_second = 0, gmacs_per_second = 0;
  std::int64_t workspace_bytes = 0, weights_bytes = 0, peak_rss_bytes = 0;
  double plan_ms = 0;
  std::optional<engine::PlanOptions> tuned;  // with --tune
  double peak_gflops = 0;                    // of all threads together; with --layers
  std::vector<BenchLayer> layers;
  std::vector<float> logits;            // of the last timed run
  std::optional<double> max_rel_error;  // with --check
};
using BenchResult = std::vector<BenchRow>;  // one row per case, never empty
BenchResult run_bench(const BenchOptions& o, const Globals& globals, Output& out);
Json to_json(const BenchRow& row);
Json to_json(const BenchResult& rows);  // an object for one row, else a list of objects
std::string to_text(const BenchResult& rows);

}  // namespace effnet::cli
