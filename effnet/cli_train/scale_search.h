// effnet scale search: options and result.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/program.h"
#include "effnet/search/scale/scale_search.h"

namespace effnet::cli {

// An option that is not given (empty, 0) has the value of the study, or the default of a new one.
struct ScaleSearchOptions {
  std::string base, study, data, recipe, epochs, cost, device = "auto", out;
  std::vector<std::string> settings;
  std::optional<double> factor, tolerance, step, keep;
  int seeds = 0, workers = 1;
  double timeout_s = 120;  // without a heartbeat, before a trial is repeated
};

struct ScaleSearchReport {
  std::string base;   // as it was given, else the name of the study's base; empty if that came from a file
  std::string study;  // as it was given
  search::ScaleSearch search;
  search::ScaleSearchResult result;
  std::vector<search::Trial> trials;
  std::vector<std::string> files;  // arch files that were written
};
Json to_json(const ScaleSearchReport& report);
std::string to_text(const ScaleSearchReport& report);

}  // namespace effnet::cli
