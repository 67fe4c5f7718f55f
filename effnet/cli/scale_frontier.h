// effnet scale frontier BASE: the largest network that a scaling rule finds for each of several budgets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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
    double budget = 0;  // in the unit of the cost; milliseconds for latency
    arch::Scaling scaling = {};
    graph::Costs costs = {};
    std::int64_t peak_bytes = 0;  // of activations
    std::optional<model::Timing> timing = {};
  };
  std::string base = {}, cost = {}, rule = {};
  std::vector<Row> rows = {};
  int threads = 1;
  std::string out = {};  // file with `svg`; "-": to_text() returns `svg`
  std::string svg = {};
};
FrontierResult run_frontier(const FrontierOptions& options, const Globals& globals, Output& out);
Json to_json(const FrontierResult& result);
std::string to_text(const FrontierResult& result);

}  // namespace effnet::cli
