// The only exception type of effnet. The library throws it; only the command line turns it into text and an exit code.
//
// A message is one line: what is wrong, the value found and the value expected, "WHAT (got X, expected Y)".
// The optional hint says what to do.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "effnet/base/export.h"

namespace effnet {

// The values are the exit codes of the process (docs/cli.md).
enum class ErrorCode {
  internal = 1,     // a bug in effnet
  usage = 2,        // wrong options, values out of range, an unreachable target
  input = 3,        // a missing, corrupt or unsupported file; an unknown model; wrong data
  environment = 4,  // no disk space, no write permission, missing component, unsupported CPU
  interrupted = 130,
};

class EFFNET_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& what, std::string hint = {})
      : std::runtime_error(what), code_(code), hint_(std::move(hint)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& hint() const noexcept { return hint_; }

  // `throw input_error(...).with_hint("...")`
  Error with_hint(std::string hint) const { return Error(code_, what(), std::move(hint)); }
  // The same error with `place`, usually a path, before the message: "PATH: WHAT".
  Error in(std::string_view place) const { return Error(code_, fmt::format("{}: {}", place, what()), hint_); }

 private:
  ErrorCode code_;
  std::string hint_;
};

template <class... Args>
Error internal_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorCode::internal, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
Error usage_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorCode::usage, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
Error input_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorCode::input, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
Error environment_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorCode::environment, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace effnet

// An assertion: if the condition is false, effnet has a bug; bad input never causes it. Also checked in release builds,
// because it is not used in hot loops.
#define EFFNET_CHECK(condition)                                                                             \
  do {                                                                                                      \
    if (!(condition)) throw ::effnet::internal_error("{}:{}: {} is false", __FILE__, __LINE__, #condition); \
  } while (false)
