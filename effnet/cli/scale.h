// effnet scale BASE: scales a network by a rule, by given multipliers, or to a target.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/arch/scaling.h"
#include "effnet/cli/command.h"
#include "effnet/cli/scale_rule.h"
#include "effnet/graph/costs.h"
#include "effnet/graph/graph.h"
#include "effnet/model/measure.h"

namespace effnet::cli {

using model::Timing;

// Strings are unparsed arguments; an empty string means not given. Exactly one way of scaling must be given.
struct ScaleOptions {
  std::string base = {};
  std::optional<double> phi = {}, factor = {}, depth = {}, width = {};
  std::string resolution = {};
  std::string target_macs = {}, target_params = {}, target_memory = {}, target_latency = {};
  RuleOptions rule = {};
  std::string out = {};     // an arch file to write; "-": stdout
  bool family = false;      // show the published scalings of `base` (scale_family.h)
  bool compare = false;     // show all rules side by side (scale_compare.h)
  bool no_latency = false;  // with `compare`: do not measure
};
void declare_options(CLI::App& command, ScaleOptions& options);
// The options among --phi, --factor, --depth/--width/--resolution and --target-* that are given.
std::vector<std::string> given_ways(const ScaleOptions& options);
void check_phi(double phi);

struct ScaleResult {
  std::string base = {};
  arch::Scaling scaling = {};
  arch::RuleChoice rule = {};
  bool dropout_is_published = false;  // raised by arch::published_dropout(); otherwise that of the base
  graph::Graph graph = {};            // of the scaled network
  graph::Costs costs = {}, base_costs = {};
  std::string arch = {};           // contents of the arch file
  std::string target_cost = {};    // what the target limits (graph/counted_costs.h); empty: no target
  double target = 0, reached = 0;  // in the unit of this cost
  std::string again = {};          // options that make the network again if the printed multipliers alone do not
  // Of the scaled network; only with a latency target. The search chooses the network by `timing`; `again_ms` is the
  // median of a measurement after the search, which a lucky or a disturbed one of the search cannot affect.
  std::optional<Timing> timing = {};
  std::optional<double> again_ms = {};
  int threads = 1;       // used for `timing`
  std::string out = {};  // file with `arch`; "-": to_text() returns `arch`
};
ScaleResult run_scale(const ScaleOptions& options, const Globals& globals, Output& out);
// The warning that a latency is further than 3 % from its target: below it in the search, where it is never above, or
// on either side when measured again. Empty if it is not.
std::string latency_warning(double target_ms, double found_ms, double again_ms);
Json to_json(const ScaleResult& result);
std::string to_text(const ScaleResult& result);

}  // namespace effnet::cli
