// effnet scale frontier BASE: the largest network that each of several scaling rules finds for each of several budgets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/cli/scale_rule.h"
#include "effnet/graph/costs.h"
#include "effnet/model/measure.h"

namespace effnet::cli {

struct FrontierOptions {
  std::string base = {};
  RuleOptions rule = {};
  std::string cost = {};           // see model::find_cost
  std::string from = {}, to = {};  // unparsed; default: 1/4 and 4 times the cost of the base
  int points = 9;
  bool latency = false;  // measure the latency although it is not the cost
  std::string out = {};  // FILE.svg; "-": stdout
};
void declare_options(CLI::App& command, FrontierOptions& options);

struct FrontierResult {
  struct Row {
    std::string_view rule = {};
    double budget = 0;  // in the unit of the cost; milliseconds for latency
    arch::Scaling scaling = {};
    MultiplierTexts multipliers = {};  // of `scaling`, for the table
    graph::Costs costs = {};
    std::int64_t peak_bytes = 0;  // of activations
    bool needs_rule = false;      // its multipliers alone do not make the network
    std::optional<model::Timing> timing = {};
  };
  std::string base = {}, cost = {};
  std::vector<std::string> rules = {};  // as asked for; a rule may have no row
  std::vector<Row> rows = {};           // rule after rule, each from the smallest budget to the largest
  int threads = 1;
  std::string out = {};  // file with `svg`; "-": to_text() returns `svg`
  std::string svg = {};
};
FrontierResult run_frontier(const FrontierOptions& options, const Globals& globals, Output& out);
// The warning that latencies of the search are more than 3 % below their budgets; empty if none is.
std::string latency_warning(const std::vector<FrontierResult::Row>& rows);
// What the network of a row costs, in the unit of the cost.
double spent(const FrontierResult::Row& row, std::string_view cost);
// An SVG file with a line for each rule: the cost over the MACs. If the cost is the MACs: over the parameters.
std::string drawing(const FrontierResult& result);
Json to_json(const FrontierResult& result);
std::string to_text(const FrontierResult& result);

}  // namespace effnet::cli
