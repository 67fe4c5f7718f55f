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
  std::vector<std::string_view> planned;  // of the contract (one word, or a command and its first argument): a later
                                          // version brings them, until then they exit 4 and say so
};

const Program& effnet_program();  // commands.cc

// The process's exit code. Errors are on `out` by then.
int run_program(int argc, char** argv, const Program& program, Output& out);

// Where memory ends in a function that promised not to throw (some of std::filesystem's), std::terminate is called:
// from here on the process then says so on stderr and exits with 4.
void install_out_of_memory_handler();

// The words that are no options: a command, its first argument, ...
std::vector<std::string> plain_words(int argc, char** argv);

// --threads, else $EFFNET_THREADS, else the usable cores. Throws Error(usage) for an $EFFNET_THREADS that is no number.
// Several only for a command with Command::thread_lists.
std::vector<int> thread_counts(const Globals& globals);
inline int thread_count(const Globals& globals) { return thread_counts(globals).front(); }

}  // namespace effnet::cli
