// How a sub-command is declared and what it receives. Each sub-command has its own file; commands.cc has the table.
//
// A sub-command is a function from options to a result, with two renderings of the result:
//   struct XOptions; void declare_options(CLI::App&, XOptions&);
//   struct XResult; XResult run_x(const XOptions&), or run_x(const XOptions&, const Globals&, Output&);
//   Json to_json(const XResult&); std::string to_text(const XResult&);
// and Body declare_x(...), which returns bind(..., run_x).
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/text.h"
#include "effnet/cli/output.h"

namespace effnet::cli {

struct Globals {
  bool json = false;
  bool quiet = false;
  std::vector<int> threads;             // empty: the cores that this process may use
  std::vector<std::string> words = {};  // the whole command line, for a command that replaces this process
};

// Declare adds the sub-command's options to `command` and returns its Body, which runs after parsing. Values that the
// parser sets and the Body reads are in a shared_ptr that both keep. The Body returns the exit code; errors are
// exceptions.
using Body = std::function<int(Output& out)>;
using Declare = Body(CLI::App& command, const Globals& globals);
struct Command {
  std::string_view name;
  std::string_view summary;
  Declare* declare;
  bool thread_lists = false;  // --threads accepts a list, such as 1,2
  // For a command of another program: replaces this process by that program with the same arguments, or throws. If
  // `declare` is set too, it returns when this program can do the work itself.
  void (*exec)(int argc, char** argv) = nullptr;
};

template <class Result>
void show(const Result& result, const Globals& globals, Output& out) {
  if (globals.json) {
    out.print_json(to_json(result));
  } else {
    out.print(printable(to_text(result)));  // names and paths may have control characters
  }
}

template <class Options, class Result, class... Context>
Body bind(CLI::App& command, const Globals& globals, Result (*run)(const Options&, Context...)) {
  auto options = std::make_shared<Options>();
  declare_options(command, *options);
  return [options, run, &globals](Output& out) {
    if constexpr (sizeof...(Context) == 0) {
      show(run(*options), globals, out);
    } else {
      show(run(*options, globals, out), globals, out);
    }
    return 0;
  };
}

}  // namespace effnet::cli
