#include "effnet/cli/launch.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/launch_ranks.h"
#include "effnet/cli/program.h"

namespace effnet::cli {

// Checks the command before the ranks start. Otherwise each of the N processes would report the same error.
void check_launched(const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const Command& command : effnet_program().commands)
    if (command.name != "launch") names.emplace_back(command.name);
  if (words.empty()) throw usage_error("effnet launch: no command (got none, expected {})", one_of(names));
  const std::string& word = words.front();
  if (word.starts_with("-"))
    throw usage_error("effnet launch: unknown option (got {}, expected -n N and a command)", in_quotes(word))
        .with_hint("put options of the command after its name");
  if (std::find(names.begin(), names.end(), word) == names.end()) {
    throw unknown_name(ErrorCode::usage, "effnet launch: unknown command", word, names,
                       "effnet --help lists the commands");
  }
}

int run_launch(const LaunchOptions& options, const Globals& globals, Output& out) {
  check_launched(options.words);
  std::vector<std::string> words{"effnet"};
  words.insert(words.end(), options.words.begin(), options.words.end());
  if (globals.quiet || options.quiet) words.emplace_back("--quiet");
  if (globals.json || options.json) words.emplace_back("--json");
  if (options.threads.size() > 1)
    throw usage_error("--threads: a list is not accepted here (got {}, expected one number)",
                      fmt::join(options.threads, ","));
  return run_ranks(options.count, words, options.threads.empty() ? thread_count(globals) : options.threads.front(),
                   out);
}

Body declare_launch(CLI::App& command, const Globals& globals) {
  const auto options = std::make_shared<LaunchOptions>();
  add_number(command, "-n", options->count, 1, 1024, "Start N processes");
  command.get_option("-n")->required();
  // Arguments after the name of the launched command belong to that command. So `launch` declares the common options
  // itself.
  command.fallthrough(false);
  command.prefix_command();
  command.add_flag("--json", options->json, "Pass --json to the command");
  command.add_flag("--quiet", options->quiet, "Pass --quiet to the command");
  add_numbers(command, "--threads", options->threads, 1024, "Use N threads in total, divided among the processes");
  command.footer(
      "Usage: effnet launch -n N COMMAND ARGS... Only rank 0 writes to stdout. On stderr, lines of the other ranks "
      "begin with [rank N].");
  return [&command, &globals, options](Output& out) {
    options->words = command.remaining();
    return run_launch(*options, globals, out);
  };
}

}  // namespace effnet::cli
