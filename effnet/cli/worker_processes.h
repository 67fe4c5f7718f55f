// The workers of a study: their clock, their options, and several worker processes of one command.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/base/process.h"
#include "effnet/cli/output.h"
#include "effnet/search/study/worker.h"

namespace effnet::cli {

double now_s();  // seconds since 1970

// A worker with a name of its own, whose trials are claimed again after `timeout_s` seconds without a heartbeat. Throws
// Error(usage) for a --timeout out of range.
search::WorkerOptions worker_options(double timeout_s);

// The error of a worker process that has ended; empty if it has succeeded. An error that the worker has printed keeps
// its exit code and its hint; anything else, such as a signal, is Error(environment).
std::optional<Error> worker_error(const ProcessResult& result);

// A command of this program that works on a study. Options are one word each (--timeout=60). They come before "--", and
// the operands, which may begin with "-", after it.
struct WorkerCommand {
  std::vector<std::string> words;  // the command and its options
  std::vector<std::string> operands;
};

// Runs the command in `count` processes at the same time, each with an equal part of `threads`, and waits until all of
// them have ended. Calls `meanwhile` about four times per second while it waits, and once at the end. Returns the error
// of the worker that failed first; check_ended() decides whether it matters. Throws Error(interrupted) after a signal.
std::optional<Error> run_workers(const WorkerCommand& command, int count, int threads,
                                 const std::function<void()>& meanwhile = {});

// Throws the error of a failed worker, unless the other workers have completed the search: then it is only a warning.
void check_ended(const std::optional<Error>& failed, bool complete, Output& out);

// Throws Error(input) if all trials of the study have ended and all of them have failed. The message has the first
// reason.
void check_any_done(search::Study& study);

// "; about 1:30 left" for a line of a trial; empty if the time is not known, or below a second.
std::string left_text(std::optional<double> seconds);

// The trials of a study that end while other processes work on it.
class EndedTrials {
 public:
  explicit EndedTrials(search::Study& study);  // trials that have ended before are not reported
  // Calls `report` for each trial that has ended since the last call, in the order of their ends. Leaves out twins,
  // which got the result of another trial.
  void update(const std::function<void(const search::Trial&)>& report);

 private:
  search::Study& study_;
  std::int64_t count_ = 0;        // of ended trials, also twins
  std::set<std::int64_t> known_;  // their ids
};

}  // namespace effnet::cli
