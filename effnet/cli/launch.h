// effnet launch -n N COMMAND ARGS...: N processes of `effnet COMMAND ARGS...` on this machine with the variables by
// which they find each other (docs/distributed.md).
#pragma once

#include <string>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct LaunchOptions {
  int count = 0;
  std::vector<std::string> words;    // the command and its arguments
  std::vector<int> threads;          // of all processes together; empty: as elsewhere
  bool json = false, quiet = false;  // the command's
};
// Throws Error(usage) if `words` begin with no command that can be launched.
void check_launched(const std::vector<std::string>& words);
// The exit code of the first process that failed (128 + the signal that killed it), else 0.
int run_launch(const LaunchOptions& options, const Globals& globals, Output& out);

}  // namespace effnet::cli
