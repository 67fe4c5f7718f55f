// Where a command writes: results to one stream, all else to another. main binds them to stdout and stderr, a test to
// memory.
#pragma once

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "effnet/base/error.h"

namespace effnet::cli {

using Json = nlohmann::ordered_json;  // fields come out in the order of docs/cli

class Output {
 public:
  // The streams outlive it. A person watches if `messages` is a terminal.
  Output(std::FILE* results, std::FILE* messages);

  void set_quiet(bool quiet) { quiet_ = quiet; }

  // Results. A failed write (closed pipe, full disk) throws Error(environment).
  void print(std::string_view text);
  void print_json(const Json& document);
  void print_json_line(const Json& element);

  // Messages. One that cannot be written is lost.
  void error(const Error& error);
  void message(std::string_view text);  // as it is. Allocates nothing
  // Not under --quiet:
  void warn(std::string_view message);
  void say(std::string_view line);
  // Progress; written only if `messages` is a terminal:
  void note(std::string_view line);
  void status(std::string_view line);  // in place of the status before; empty: none any more

 private:
  bool watched() const { return terminal_ && !quiet_; }

  std::FILE* results_;
  std::FILE* messages_;
  bool terminal_, quiet_ = false, status_shown_ = false;
};

// The text of print_json, without the line end. Paths may hold any bytes, JSON may not: what is no UTF-8 is replaced.
std::string json_text(const Json& document);

// The status of work that is counted: done, total, rate, time left.
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

}  // namespace effnet::cli
