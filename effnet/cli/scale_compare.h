// effnet scale BASE --compare: all scaling rules side by side at equal MACs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/scale.h"

namespace effnet::cli {

struct CompareRulesResult {
  struct Network {
    arch::Scaling scaling = {};
    graph::Costs costs = {};
    MultiplierTexts multipliers = {};  // of `scaling`, for the table
    std::int64_t peak_bytes = 0;       // of activations
    bool reached = false;              // the MACs are within 3 % of the target
    std::optional<Timing> timing = {};
  };
  struct Row {
    const arch::Rule* rule;
    std::int64_t smallest_macs;      // of all networks of this rule
    std::optional<Network> network;  // empty: smallest_macs is above the target
  };
  std::string base = {};
  std::int64_t target_macs = 0;
  std::vector<Row> rows = {};
  int threads = 1;
};
CompareRulesResult run_compare_rules(const ScaleOptions& options, const Globals& globals, Output& out);
Json to_json(const CompareRulesResult& result);
std::string to_text(const CompareRulesResult& result);

}  // namespace effnet::cli
