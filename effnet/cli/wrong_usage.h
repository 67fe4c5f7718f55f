// The errors of a command line that the parser refuses: what is wrong, and what the user probably meant.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::cli {

// `command`: "effnet", or a command with sub-commands, "effnet search". `word`: what was given in place of one of
// `names`.
Error unknown_command(std::string_view command, std::string_view word, const std::vector<std::string>& names);

// Throws unknown_command() for a command that has sub-commands and also arguments, if its first argument is nearly the
// name of a sub-command and no file has this name: "effnet scale serach". `app`: has parsed the command line `words`.
void check_subcommand_name(const CLI::App& app, const std::vector<std::string>& words);

// `app`: has parsed a command line until it threw `error`. `words`: that command line, without the program.
Error wrong_usage(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words);

}  // namespace effnet::cli
