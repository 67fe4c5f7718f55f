// effnet search supernet: options and result.
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/program.h"
#include "effnet/lab/train_supernet.h"

namespace effnet::cli {

struct SearchSupernetOptions {
  std::string space, data, out, recipe = "search_supernet", device = "auto";
  std::vector<std::string> settings;
  bool sandwich = false;
};

struct SearchSupernetResult {
  std::string space;  // its name
  std::string given;  // SPACE: a name or a file
  std::string file;
  lab::SupernetSummary summary;
};
Json to_json(const SearchSupernetResult& result);
std::string to_text(const SearchSupernetResult& result);

}  // namespace effnet::cli
