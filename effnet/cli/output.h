// The only place that writes to the terminal: results to stdout, all else to stderr.
#pragma once

#include <string>
#include <string_view>

#include "effnet/base/error.h"
#include "effnet/cli/command.h"

namespace effnet::cli {

// Results. A failed write (closed pipe, full disk) throws Error(environment).
void print(std::string_view text);
void print_json(const Json& document);
void print_json_line(const Json& element);

// "-" as the file that a command writes (`flag` names it) means stdout where the file is text; stdout then holds it and
// nothing else, so that --json beside it is Error(usage).
bool is_stdout(std::string_view flag, std::string_view file, const Globals& globals);
// Where the file is no text, "-" is Error(usage).
void check_no_stdout(std::string_view flag, std::string_view file);

// Error(usage) if the file that `flag` names is the very file `input`.
void check_not_input(std::string_view flag, const std::string& file, const std::string& input);

void print_error(const Error& error);
void set_quiet(bool quiet);  // no warnings
void warn(std::string_view message);
void note(std::string_view message);  // what goes on, for a person who waits; only if stderr is a terminal

// One line on stderr that is rewritten as work goes on: done, total, rate, time left. Silent unless stderr is a
// terminal.
class Progress {
 public:
  Progress(std::string_view what, std::int64_t total, const Globals& globals);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::int64_t done);

 private:
  std::string what_;
  std::int64_t total_;
  bool shown_;
  double start_s_, last_s_ = 0;
};

// A number option whose error says what came and what was expected.
void add_number(CLI::App& app, const std::string& name, int& value, int low, int high, const std::string& help);

// --seed: any whole number of 64 bits.
void add_seed(CLI::App& app, std::uint64_t& seed, const std::string& help);

// The same for a list such as 1,8: whole numbers from 1 to `high`.
void add_numbers(CLI::App& app, const std::string& name, std::vector<int>& values, int high, const std::string& help);
// A whole number from 1 to `high`, else Error(usage) that names `what`.
int parse_count(std::string_view what, std::string_view text, int high);
// The parts of a list such as 1,8; empty parts are kept, and are for the caller to refuse.
std::vector<std::string> split_list(std::string_view text);

// The shortest decimal that reads back to the same float32, as a JSON number.
double shortest(float value);

}  // namespace effnet::cli
