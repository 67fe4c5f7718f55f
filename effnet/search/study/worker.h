// A worker of a search: claims trials of a study, evaluates them, and plans the next generation when all trials of the
// last one have ended. Any number of workers, in any number of processes, may run on one study.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "effnet/search/study/study.h"

namespace effnet::search {

struct Evaluation {
  double score = 0;     // higher is better; finite
  std::string details;  // JSON, for reports
};

// Evaluates one candidate. The same trial gives the same result on every machine of the same kind. Throws
// Error(interrupted) after a signal; any other Error makes the trial fail, with its message.
using Evaluate = std::function<Evaluation(const Trial&)>;

// Returns the trials of the next generation, or no trials if the search has ended. `ended`: all trials so far, done or
// failed, by id. Must be a pure function, because another worker may call it with the same trials.
using Plan = std::function<std::vector<NewTrial>(const std::vector<Trial>& ended)>;

struct WorkerOptions {
  std::string name;  // different for each worker; worker_name() makes one
  ClaimOptions claim = {};
  double beat_s = 20;                            // time between two heartbeats; well below claim.timeout_s
  double poll_s = 1;                             // how long to wait if only other workers have trials
  std::function<double()> now;                   // seconds since 1970
  std::function<void(double)> sleep;             // waits so many seconds; throws Error(interrupted) after a signal
  std::function<void(const Trial&)> ended = {};  // called after each trial of this worker, with its result
};

struct WorkerResult {
  std::int64_t done = 0, failed = 0, lost = 0;  // trials of this worker; lost: another worker had taken it over
};

std::string worker_name();  // host, process, and a random number

// Works until the search has ended. Throws Error(interrupted) after a signal; the trial then waits again. Heartbeats
// come from a thread with a connection of its own.
WorkerResult work(Study& study, std::string_view kind, const Plan& plan, const Evaluate& evaluate,
                  const WorkerOptions& options);

}  // namespace effnet::search
