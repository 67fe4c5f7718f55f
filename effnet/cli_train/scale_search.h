// effnet scale search: options and result.
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/program.h"
#include "effnet/search/scale/scale_search.h"

namespace effnet::cli {

struct ScaleSearchOptions {
  std::string base, study, data, recipe = "scale_proxy", epochs = "2,6", cost = "macs", device = "auto", out;
  std::vector<std::string> settings;
  search::GridOptions grid;
  int seeds = 2, workers = 1;
  double keep = 1.0 / 3;
  double timeout_s = 120;  // without a heartbeat, before a trial is repeated
};

struct ScaleSearchReport {
  search::ScaleSearch search;
  search::ScaleSearchResult result;
  std::vector<search::Trial> trials;
  std::vector<std::string> files;  // arch files that were written
};
Json to_json(const ScaleSearchReport& report);
std::string to_text(const ScaleSearchReport& report);

}  // namespace effnet::cli
