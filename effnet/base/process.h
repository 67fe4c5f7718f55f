// Other programs, and facts about this process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace effnet {

struct ProcessResult {
  bool started = false;  // false: the program could not be started
  int exit_code = -1;    // 128 + signal number if a signal ended it
  int signal = 0;        // the number of the signal that ended it; 0 if none did
  std::string errors;    // with Keep::errors: the last 4 KB of the program's stderr
  std::string output;    // with Keep::output: the last 4 KB of the program's stdout
};

enum class Keep { errors, output };

// Runs the program words[0], found on PATH, with the other words as arguments and empty stdin. `keep` selects stderr or
// stdout; the other is discarded. After a signal to this process the child gets SIGTERM; when it has ended,
// Error(interrupted) is thrown. If this process is killed (SIGKILL), the child gets SIGTERM too.
ProcessResult run_process(const std::vector<std::string>& words, Keep keep = Keep::errors);

// Opens /dev/null as each of stdin, stdout and stderr that is closed (`effnet ... 2>&-`). A main function calls it
// first: otherwise the next file that the process opens gets the number, and messages are written into it. To read from
// a closed stdin and to write to a closed stdout still fails; what is written to a closed stderr is lost.
void open_closed_streams();

// The command line of this process, as one would type it in a shell; the program is its file name without the folder.
// Empty if /proc does not give it.
std::string command_line();

// Seconds since this process was created; execv does not reset it. Returns 0 if /proc does not give the start time.
double process_age_s();

std::int64_t peak_rss_bytes();  // the peak resident memory of this process; 0 if the system does not give it
std::string host_name();        // of this machine; "localhost" if the system does not give it

}  // namespace effnet
