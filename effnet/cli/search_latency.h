// effnet search latency SPACE -o TABLE.json: measures a table that predicts the latency of a space's networks.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "effnet/cli/command.h"
#include "effnet/search/space/latency_table.h"

namespace effnet::cli {

struct SearchLatencyOptions {
  std::string space = {};
  std::string out = {};
  double seconds = 0.5;  // of measurement for each network
  int random = 100;      // random networks beside those that have all parts of the space
};
void declare_options(CLI::App& command, SearchLatencyOptions& options);

struct SearchLatencyResult {
  std::string space = {}, given = {};  // the name; as it was typed
  search::LatencyTable table = {};
  std::string out = {};
};
SearchLatencyResult run_search_latency(const SearchLatencyOptions& options, const Globals& globals, Output& out);
// What is wrong with a table, with advice: the error of its predictions, parts without a time. Empty if nothing is.
std::vector<std::string> latency_warnings(const search::LatencyTable& table);
Json to_json(const SearchLatencyResult& result);
std::string to_text(const SearchLatencyResult& result);
Body declare_search_latency(CLI::App& command, const Globals& globals);

}  // namespace effnet::cli
