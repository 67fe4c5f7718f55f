// effnet models [PATTERN]: lists the named networks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct ModelsOptions {
  std::string pattern;  // substring or wildcard
};
void declare_options(CLI::App& command, ModelsOptions& options);

struct ModelsResult {
  struct Row {
    std::string name, family;
    std::int64_t resolution, params, macs;
  };
  std::vector<Row> rows;
};
ModelsResult run_models(const ModelsOptions& options);
Json to_json(const ModelsResult& result);
std::string to_text(const ModelsResult& result);

}  // namespace effnet::cli
