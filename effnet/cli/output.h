// The output of a command: results go to one stream, everything else to another. main uses stdout and stderr, tests use
// memory.
#pragma once

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::cli {

using Json = nlohmann::ordered_json;  // keeps the order of fields as in docs/cli.md

class Output {
 public:
  // The streams must outlive the Output. Progress is shown if `messages` is a terminal.
  Output(std::FILE* results, std::FILE* messages);

  void set_quiet(bool quiet) { quiet_ = quiet; }
  bool quiet() const { return quiet_; }

  // Write results. A failed write (closed pipe, full disk) throws Error(environment). A status line is cleared first,
  // because a terminal may show both; not if results go to a regular file, where it would only flicker.
  void print(std::string_view text);
  void print_json(const Json& document);
  // Prints a text of several lines in place of the one that the last call printed. Prints nothing if results do not go
  // to a terminal. Lines that are too long for the terminal are cut off, so that each takes one row.
  void redraw(std::string_view text);
  void print_json_line(const Json& element);

  // Write messages, each on a line of its own: a status line is cleared first. Failed writes are ignored.
  void error(const Error& error);
  // These two write nothing with --quiet.
  void warn(std::string_view message);
  void say(std::string_view line);
  // These two show progress. They write only if `messages` is a terminal, and nothing with --quiet.
  void note(std::string_view line);
  void status(std::string_view line);  // replaces the previous status line; empty: clears it

  void message(std::string_view text);  // writes the text unchanged; allocates no memory

 private:
  bool shows_progress() const { return terminal_ && !quiet_; }
  void clear_status();
  void write_line(std::string_view text);  // a message

  std::FILE* results_;
  std::FILE* messages_;
  bool terminal_, quiet_ = false, status_shown_ = false;
  bool results_terminal_, results_file_;
  std::int64_t drawn_lines_ = 0;  // by redraw()
};

// The error that another process has written by Output::error() before it ended with `exit_code`; the last one in
// `messages`. Empty if there is none, or if the exit code is not one of an error.
std::optional<Error> read_error(std::string_view messages, int exit_code);

// Returns the text of print_json without the line end. Paths may contain any bytes, so bytes that are not UTF-8 are
// replaced by U+FFFD.
std::string json_text(const Json& document);

// ", top-5 97.50 %"; empty for at most 5 classes, where it is always 100 %.
std::string top5_text(double percent, std::int64_t classes);

// A status line for countable work: done, total, rate, time left.
class Progress {
 public:
  Progress(Output& out, std::string_view what, std::int64_t total);
  ~Progress() { out_.status(""); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void update(std::int64_t done);

 private:
  Output& out_;
  std::string what_;
  std::int64_t total_;
  double start_s_, last_s_ = 0;
};

// The status lines of several such works, one after the other.
class Steps {
 public:
  explicit Steps(Output& out) : out_(out) {}
  // Another text or total begins another work.
  void update(std::string_view what, std::int64_t done, std::int64_t total);
  void end() { progress_.reset(); }

 private:
  Output& out_;
  std::string what_;
  std::int64_t total_ = 0;
  std::optional<Progress> progress_;
};

}  // namespace effnet::cli
