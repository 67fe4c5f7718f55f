// effnet data check DIR: reports problems of a dataset.
#pragma once

#include <string>

#include "effnet/cli/command.h"
#include "effnet/data/check.h"

namespace effnet::cli {

struct DataCheckOptions {
  std::string folder;
};
void declare_options(CLI::App& command, DataCheckOptions& options);  // of `effnet data check`

struct DataCheckResult {
  std::string folder;
  data::DataReport report;
};
DataCheckResult run_data_check(const DataCheckOptions& options, const Globals& globals, Output& out);
Json to_json(const DataCheckResult& result);
std::string to_text(const DataCheckResult& result);

}  // namespace effnet::cli
