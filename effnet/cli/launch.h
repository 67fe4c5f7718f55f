// effnet launch -n N COMMAND ARGS...: runs N processes of `effnet COMMAND ARGS...` on this machine. Sets the
// environment variables through which the processes find each other (docs/distributed.md).
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct LaunchOptions {
  int count = 0;
  std::vector<std::string> words;    // the command and its arguments
  std::vector<int> threads;          // total of all processes; empty: default of --threads
  bool json = false, quiet = false;  // pass --json, --quiet to the command
};
// Throws Error(usage) unless `words` begin with a command that can be launched.
void check_launched(const std::vector<std::string>& words);
// Returns the exit code of the first process that failed (128 + signal if a signal killed it), else 0.
int run_launch(const LaunchOptions& options, const Globals& globals, Output& out);

}  // namespace effnet::cli
