// The frame of a command-line program: parses, runs one sub-command, turns errors into exit codes. `effnet` and
// `effnet-train` are two tables of commands in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "effnet/cli/command.h"

namespace effnet::cli {

struct Program {
  std::string_view description;
  std::vector<Command> commands;
  std::vector<std::string_view> planned;  // names that exit 4: a later version brings them
};

// The process's exit code. Errors are on stderr by then.
int run_program(int argc, char** argv, const Program& program);

// The words that are no options: a command, its first argument, ...
std::vector<std::string> plain_words(int argc, char** argv);

// --threads, else $EFFNET_THREADS, else the usable cores. Throws Error(usage) for an $EFFNET_THREADS that is no number.
// Several only for a command with Command::thread_lists.
std::vector<int> thread_counts(const Globals& globals);
inline int thread_count(const Globals& globals) { return thread_counts(globals).front(); }

}  // namespace effnet::cli
