// The hint of a command line that the parser refuses: what the user probably meant.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace effnet::cli {

// `app`: has parsed a command line until it threw `error`. `words`: that command line, without the program. `command`:
// the command's name if no command was parsed ("effnet", "effnet inspect").
std::string usage_hint(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words,
                       const std::string& command);

}  // namespace effnet::cli
