// The main function of a command-line program: parses arguments, runs one sub-command, converts errors to exit codes.
// `effnet` and `effnet-train` use it with different tables of commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/interrupt.h"
#include "effnet/cli/command.h"

namespace effnet::cli {

struct Program {
  std::string_view description;
  std::vector<Command> commands;
  // Commands of later versions (one word, or a command and its first argument). They exit with code 4 and a message.
  std::vector<std::string_view> planned;
};

const Program& effnet_program();  // commands.cc

// Returns the process's exit code. Errors have been written to `out`.
int run_program(int argc, char** argv, const Program& program, Output& out);

// If memory runs out in a noexcept function (std::filesystem has some), C++ calls std::terminate. After this call the
// process then reports "out of memory" on stderr and exits with 4.
void install_out_of_memory_handler();

// While the result exists, the first Ctrl-C says on stderr that the running step (of training) ends first, and that a
// second one stops at once.
InterruptNotice stopping_notice(bool quiet);

// Returns the arguments that are not options: the command, its first argument, ...
std::vector<std::string> plain_words(int argc, char** argv);

// Returns --threads, else $EFFNET_THREADS, else the usable cores. Throws Error(usage) if $EFFNET_THREADS is not a
// number. The list has more than one element only for a command with Command::thread_lists.
std::vector<int> thread_counts(const Globals& globals);
inline int thread_count(const Globals& globals) { return thread_counts(globals).front(); }

}  // namespace effnet::cli
