// Running another program and waiting for it.
#pragma once

#include <string>
#include <vector>

namespace effnet {

struct ProcessResult {
  bool started = false;  // false: no such program
  int exit_code = -1;    // 128 + signal if it was killed
  std::string errors;    // the last 4 KB of its stderr
  std::string output;    // the last 4 KB of its stdout, if that was what to keep
};

enum class Keep { errors, output };

// Runs words[0], found on PATH, with no input; of its stdout and stderr one is kept, the other discarded. Ctrl-C
// reaches the child too (same process group); afterwards Error(interrupted) is thrown.
ProcessResult run_process(const std::vector<std::string>& words, Keep keep = Keep::errors);

// Seconds since this process was made, whatever programs it has been since (execv). 0 where /proc does not say.
double process_age_s();

}  // namespace effnet
