#include "effnet/cli/program.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <sstream>

#include "effnet/base/cpu.h"
#include "effnet/base/names.h"
#include "effnet/base/text.h"
#include "effnet/cli/arguments.h"
#include "effnet/cli/version.h"
#include "effnet/cli/wrong_usage.h"
#include "effnet/kernels/isa.h"

namespace effnet::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 fault of effnet, 2 wrong usage, 3 bad input, 4 environment, 130 interrupted.";
constexpr const char* kGlobalOptions = "Global options: --json, --quiet, --threads N (effnet --help explains them)";

// The help of every command below `app` ends with the global options and the exit codes.
void add_footers(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    std::string text = command->get_footer();
    if (!text.empty()) text += text.ends_with('\n') ? "\n" : "\n\n";
    command->footer(text + kGlobalOptions + "\n" + kExitCodes);
    add_footers(*command);
  }
}

// Rejects planned and unknown commands. Called before the parser, which would only report "not expected".
void check_command_name(const std::vector<std::string>& words, const Program& program) {
  if (words.empty()) return;
  const std::vector<std::string> names = names_of(program.commands);
  for (const std::string_view planned : program.planned) {
    if (planned == words[0] || (words.size() > 1 && planned == words[0] + " " + words[1])) {
      throw environment_error("effnet {} is not built yet (got version {}, expected one of {})", planned, kVersion,
                              one_of(names))
          .with_hint(
              "this version describes, scales, converts, classifies, measures and trains; README.md says what is "
              "missing");
    }
  }
  if (std::ranges::find(names, words[0]) == names.end()) throw unknown_command("effnet", words[0], names);
}

Error empty_value(std::string_view option) {
  return usage_error("{}: the value is empty (got '', expected a value)", option)
      .with_hint("leave the option out for its default; a shell variable in the command may be empty");
}

// An empty value would otherwise mean the same as an option that is not given.
void check_no_empty_value(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const CLI::results_t values = option->results();
    if (std::ranges::find(values, std::string()) != values.end()) throw empty_value(option->get_name());
  }
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  for (const CLI::App* command : parsed) check_no_empty_value(*command);
}

// For the word "--out=" the parser would take the next word as the value, and for "-o=x" the value "=x".
void check_assignments(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return;
    const bool one_letter = word.size() > 2 && word[0] == '-' && word[1] != '-' && word[2] == '=';
    if (one_letter && word.size() == 3) throw empty_value(word.substr(0, 2));
    if (one_letter)
      throw usage_error("{}: an option of one letter has no = (got {}, expected {} {})", word.substr(0, 2),
                        in_quotes(word), word.substr(0, 2), in_shell(word.substr(3)));
    if (word.starts_with("--") && word.find('=') == word.size() - 1) throw empty_value(word.substr(0, word.size() - 1));
  }
}

// The options of `app` and of its parsed commands.
std::vector<const CLI::Option*> all_options(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : app.get_options()) options.push_back(option);
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  for (const CLI::App* command : parsed) {
    const std::vector<const CLI::Option*> more = all_options(*command);
    options.insert(options.end(), more.begin(), more.end());
  }
  return options;
}

// The parser takes the next word as the value of an option, also if that is an option: "-o --json". `words`: the
// command line; a value that is joined to its option ("--out=--json") was meant.
void check_no_option_as_value(const CLI::App& app, const std::vector<std::string>& words) {
  const std::vector<const CLI::Option*> options = all_options(app);
  std::vector<std::string> names;
  for (const CLI::Option* option : options) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  for (const CLI::Option* option : options) {
    if (option->get_positional()) continue;
    const CLI::results_t values = option->results();
    for (const std::string& value : values) {
      if (std::ranges::count(names, value) == 0 || std::ranges::count(words, value) == 0) continue;
      throw usage_error("{}: the value is missing (got the option {}, expected a value)", option->get_name(), value)
          .with_hint(fmt::format("for a file of this name write ./{}", value));
    }
  }
}

constexpr std::string_view kOutOfMemory =
    "effnet: error: out of memory (expected enough for the network and one image)\n";

std::terminate_handler default_terminate = nullptr;

void on_terminate() {
  if (const std::exception_ptr error = std::current_exception()) {
    try {
      std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
      if (::write(STDERR_FILENO, kOutOfMemory.data(), kOutOfMemory.size()) < 0) {
        // stderr is closed; only the exit code reports the error
      }
      ::_exit(static_cast<int>(ErrorCode::environment));
    } catch (...) {  // a bug in effnet: the default handler reports it
    }
  }
  default_terminate();
}

}  // namespace

void install_out_of_memory_handler() { default_terminate = std::set_terminate(on_terminate); }

InterruptNotice stopping_notice(bool quiet) {
  // On a terminal the cursor is behind a status line and the terminal's "^C".
  static constexpr const char* kText = "\nstopping after the running step; Ctrl-C again stops at once\n";
  if (quiet) return InterruptNotice(nullptr);
  return InterruptNotice(::isatty(STDERR_FILENO) != 0 ? kText : kText + 1);
}

std::vector<std::string> plain_words(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--threads") ++i;
    if (!word.starts_with("-")) words.emplace_back(word);
  }
  return words;
}

std::vector<int> thread_counts(const Globals& globals) {
  if (!globals.threads.empty()) return globals.threads;
  const char* wanted = std::getenv("EFFNET_THREADS");
  if (wanted != nullptr && *wanted != '\0') return {parse_integer("EFFNET_THREADS", wanted, 1, 1024)};
  return {usable_cores()};
}

int run_program(int argc, char** argv, const Program& program, Output& out) {
  Globals globals;
  globals.words.assign(argv, argv + argc);
  CLI::App app{std::string(program.description), "effnet"};
  app.set_version_flag("--version", std::string("effnet ") + kVersion);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  app.add_flag("--json", globals.json, "Print the result as one JSON document");
  app.add_flag("--quiet", globals.quiet, "Print no warnings and no progress");
  add_numbers(app, "--threads", globals.threads, 1024,
              "Use N threads [EFFNET_THREADS, else the cores that this process may use]");
  app.fallthrough();

  Body body;
  for (const Command& command : program.commands) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
    if (command.declare == nullptr) continue;
    sub->option_defaults()->always_capture_default();
    const Body declared = command.declare(*sub, globals);
    sub->callback([&body, &command, &globals, declared] {
      if (globals.threads.size() > 1 && !command.thread_lists)
        throw usage_error("--threads: only effnet bench accepts a list (got {}, expected one number)",
                          fmt::join(globals.threads, ","));
      body = declared;
    });
  }
  add_footers(app);
  app.footer(kExitCodes);

  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    check_assignments(arguments);
    const std::vector<std::string> words = plain_words(argc, argv);
    check_command_name(words, program);
    for (const Command& command : program.commands) {
      if (!words.empty() && command.name == words[0] && command.exec != nullptr) command.exec(argc, argv);
    }
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() == 0) {  // --help, --version
        std::ostringstream text;
        app.exit(error, text, text);
        out.print(text.str());
        return 0;
      }
      // What these two find says more than the parser's message.
      check_no_option_as_value(app, arguments);
      check_subcommand_name(app, arguments);
      throw wrong_usage(app, error, arguments);
    }
    check_no_empty_value(app);
    check_no_option_as_value(app, arguments);
    check_subcommand_name(app, arguments);
    out.set_quiet(globals.quiet);
    kernels::chosen_isa();  // every command rejects a wrong EFFNET_ISA
    return body(out);
  } catch (const Error& error) {
    out.error(error);
    return static_cast<int>(error.code());
  } catch (const std::filesystem::filesystem_error& error) {  // of a name that is too long, a folder without permission
    out.error(input_error("{}: cannot read ({})", error.path1().string(), error.code().message()));
    return static_cast<int>(ErrorCode::input);
  } catch (const std::bad_alloc&) {
    out.message(kOutOfMemory);
    return static_cast<int>(ErrorCode::environment);
  } catch (const std::exception& error) {
    out.error(internal_error("{}", error.what()).with_hint("this is a fault of effnet; please report the command"));
    return static_cast<int>(ErrorCode::internal);
  }
}

}  // namespace effnet::cli
