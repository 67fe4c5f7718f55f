// effnet data check DIR: reports problems of a dataset. effnet data split DIR -o OUT: splits its images.
#pragma once

#include <string>

#include "effnet/cli/command.h"
#include "effnet/data/check.h"
#include "effnet/data/split.h"
#include "effnet/data/split_folder.h"

namespace effnet::cli {

struct DataCheckOptions {
  std::string folder, labels;
};
void declare_options(CLI::App& command, DataCheckOptions& options);  // of `effnet data check`

struct DataCheckResult {
  std::string folder;
  data::DataReport report;
};
DataCheckResult run_data_check(const DataCheckOptions& options, const Globals& globals, Output& out);
Json to_json(const DataCheckResult& result);
std::string to_text(const DataCheckResult& result);

struct DataSplitOptions {
  std::string folder, labels, out;
  data::SplitOptions split;
};
void declare_options(CLI::App& command, DataSplitOptions& options);  // of `effnet data split`

struct DataSplitResult {
  DataCheckResult check;
  std::vector<std::int64_t> images;  // number of images that were written to train, val and test (data::kParts)
  std::string path;
  data::SplitFolder written;
  std::vector<std::string> notes;  // of the split
};
DataSplitResult run_data_split(const DataSplitOptions& options, const Globals& globals, Output& out);
Json to_json(const DataSplitResult& result);
std::string to_text(const DataSplitResult& result);

}  // namespace effnet::cli
