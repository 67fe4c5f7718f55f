// A worker of a search: claims trials of a study, evaluates them, and plans the next generation when all trials of the
// last one have ended. Any number of workers, in any number of processes, may run on one study.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "effnet/base/error.h"
#include "effnet/search/study/study.h"

namespace effnet::search {

struct Evaluation {
  double score = 0;     // higher is better; finite
  std::string details;  // JSON, for reports
};

// The candidate itself cannot be evaluated, on any machine: its training diverges, or its network cannot be built.
class CandidateError : public Error {
 public:
  explicit CandidateError(const std::string& what) : Error(ErrorCode::input, what) {}
};

// Evaluates one candidate. The same trial gives the same result on every machine of the same kind. A CandidateError
// makes the trial fail, with its message. Any other Error is not the candidate's fault and would meet the others too: a
// signal, a full disk, images that cannot be read. The worker then gives the trial back and ends with this error.
using Evaluate = std::function<Evaluation(const Trial&)>;

// What a plan returns.
struct NewGeneration {
  std::vector<NewTrial> trials;  // none: the search has ended
  std::string state;             // for the plan of the next generation; any text in UTF-8
};

// Plans generation `generation`, which counts from 0. `state`: what the plan of the generation before returned; empty
// for generation 0. `last`: the trials of the generation before, done or failed, by id; none for generation 0. Must be
// a pure function, because another worker may call it with the same arguments.
using Plan =
    std::function<NewGeneration(std::int64_t generation, std::string_view state, const std::vector<Trial>& last)>;

struct WorkerOptions {
  std::string name;  // different for each worker; worker_name() makes one
  ClaimOptions claim = {};
  double beat_s = 20;                 // time between two heartbeats; well below claim.timeout_s
  double poll_s = 1;                  // how long to wait if only other workers have trials
  std::int64_t most_trials = 0;       // the worker ends after so many trials; 0: no limit
  std::function<double()> now;        // seconds since 1970; also called by the thread of the heartbeat
  std::function<void(double)> sleep;  // waits so many seconds; throws Error(interrupted) after a signal
  // Called after each trial of this worker, with its result, when that is stored: the files of the evaluation are not
  // needed any more.
  std::function<void(const Trial&)> ended = {};
};

struct WorkerResult {
  std::int64_t done = 0, failed = 0, lost = 0;  // trials of this worker; lost: another worker had taken it over
};

std::string worker_name();  // host, process, and a random number

// Works until the search has ended, or the worker has evaluated `most_trials` trials. Throws what `evaluate` throws,
// except a CandidateError; the trial then waits again. The connection to a server may be lost during an evaluation: the
// evaluation is finished, and its result is stored when the server can be reached again (see WaitOptions). Heartbeats
// come from a thread with a connection of its own.
WorkerResult work(Study& study, std::string_view kind, const Plan& plan, const Evaluate& evaluate,
                  const WorkerOptions& options);

}  // namespace effnet::search
