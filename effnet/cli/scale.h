// effnet scale BASE: scales a network by phi, by given multipliers, or to a target.
#pragma once

#include <optional>
#include <string>

#include "effnet/arch/scaling.h"
#include "effnet/cli/command.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/graph.h"
#include "effnet/model/measure.h"

namespace effnet::cli {

using model::Timing;

// Strings are unparsed arguments; an empty string means not given. Exactly one way of scaling must be given.
struct ScaleOptions {
  std::string base = {};
  std::optional<double> phi = {}, depth = {}, width = {};
  std::string resolution = {};
  std::string target_macs = {}, target_params = {}, target_memory = {}, target_latency = {};
  arch::Coefficients coefficients = {};
  std::string dims = "dwr";
  std::string out = {};  // an arch file to write; "-": stdout
  bool family = false;   // show the published scalings of `base` (scale_family.h)
};
void declare_options(CLI::App& command, ScaleOptions& options);
// Throws Error(usage) for coefficients outside the paper's constraint.
void check_coefficients(const arch::Coefficients& coefficients);

struct ScaleResult {
  std::string base = {};
  arch::Scaling scaling = {};
  arch::Coefficients coefficients = {};
  graph::Graph graph = {};  // of the scaled network
  graph::Costs costs = {}, base_costs = {};
  std::string arch = {};              // contents of the arch file
  std::optional<Timing> timing = {};  // of the scaled network; only with a latency target
  int threads = 1;                    // used for `timing`
  std::string out = {};               // file with `arch`; "-": to_text() returns `arch`
};
ScaleResult run_scale(const ScaleOptions& options, const Globals& globals, Output& out);
Json to_json(const ScaleResult& result);
std::string to_text(const ScaleResult& result);

}  // namespace effnet::cli
