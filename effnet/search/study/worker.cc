#include "effnet/search/study/worker.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/process.h"

namespace effnet::search {
namespace {

// Repeats the heartbeat of the worker's trial every `beat_s` seconds. Short trials end without one, so that their
// worker needs no second connection.
class Heart {
 public:
  Heart(const Study& study, std::string_view kind, const WorkerOptions& options)
      : where_(study.where()), kind_(kind), options_(options), thread_([this] { run(); }) {}
  ~Heart() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;

  void beat_for(std::int64_t trial) { trial_ = trial; }
  void rest() { trial_ = kNone; }

 private:
  static constexpr std::int64_t kNone = 0;

  void run() {
    std::optional<Study> study;
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::duration<double>(options_.beat_s), [&] { return stopped_; })) {
      const std::int64_t trial = trial_;
      if (trial == kNone) continue;
      try {
        // A lost connection is not waited for: the next heartbeat makes a new one.
        if (!study) study.emplace(where_, kind_, WaitOptions{.reconnections = 0});
        study->beat(trial, options_.name, options_.now());
      } catch (const Error&) {
        // Without heartbeats another worker takes the trial over, which is right if the study cannot be reached.
        study.reset();
      }
    }
  }

  const std::string where_, kind_;
  const WorkerOptions& options_;
  std::atomic<std::int64_t> trial_ = kNone;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;  // last, because it uses the other members
};

// The heart beats for the trial while the object exists.
class Beating {
 public:
  Beating(Heart& heart, std::int64_t trial) : heart_(heart) { heart_.beat_for(trial); }
  ~Beating() { heart_.rest(); }
  Beating(const Beating&) = delete;
  Beating& operator=(const Beating&) = delete;

 private:
  Heart& heart_;
};

// Evaluates the trial and stores its end. The heart beats until the end is stored, because that can take a while if the
// connection is lost.
void run_trial(Study& study, Heart& heart, Trial trial, const Evaluate& evaluate, const WorkerOptions& options,
               WorkerResult& result) {
  const Beating beating(heart, trial.id);
  std::string error;
  Evaluation evaluation;
  const auto give_back = [&] {
    const DeferInterrupts defer;  // the signal must not end this too
    study.release(trial.id, options.name);
  };
  try {
    evaluation = evaluate(trial);
    if (!std::isfinite(evaluation.score)) error = fmt::format("the score is {}", evaluation.score);
  } catch (const CandidateError& failure) {
    error = failure.what();
  } catch (const Error& failure) {
    give_back();
    // The hint of a training would be for the command `effnet train`.
    if (failure.code() == ErrorCode::interrupted)
      throw Error(ErrorCode::interrupted, failure.what(), "the same command continues the search");
    throw;
  } catch (const std::exception&) {  // std::bad_alloc, or an exception of LibTorch
    give_back();
    throw;
  }
  trial.ended_s = options.now();
  trial.state = error.empty() ? TrialState::done : TrialState::failed;
  trial.score = evaluation.score;
  trial.details = error.empty() ? evaluation.details : error;
  const DeferInterrupts defer;  // a result that exists is stored
  const bool held = error.empty() ? study.finish(trial.id, options.name, trial.score, trial.details, trial.ended_s)
                                  : study.fail(trial.id, options.name, error, trial.ended_s);
  ++(!held ? result.lost : error.empty() ? result.done : result.failed);
  if (held && options.ended) options.ended(trial);
}

// The plan reads texts of the study, so its errors get the study's name.
NewGeneration plan_next(const Study& study, const Plan& plan, const PlanInput& input) {
  try {
    return plan(input.generation, input.state, input.last);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    throw error.in(study.name());
  }
}

}  // namespace

std::string worker_name() { return fmt::format("{}-{}-{:08x}", host_name(), ::getpid(), std::random_device{}()); }

WorkerResult work(Study& study, std::string_view kind, const Plan& plan, const Evaluate& evaluate,
                  const WorkerOptions& options) {
  WorkerResult result;
  Heart heart(study, kind, options);
  const auto limit_reached = [&] {
    return options.most_trials > 0 && result.done + result.failed + result.lost >= options.most_trials;
  };
  while (!limit_reached()) {
    check_interrupt();  // an evaluation may be too short to notice a signal
    if (const std::optional<Trial> trial = study.claim(options.name, options.now(), options.claim)) {
      run_trial(study, heart, *trial, evaluate, options, result);
      continue;
    }
    const std::optional<PlanInput> input = study.plan_input();
    if (!input) {
      options.sleep(options.poll_s);
      continue;
    }
    const NewGeneration next = plan_next(study, plan, *input);
    if (next.trials.empty()) return result;
    study.add_generation(input->generation, next.trials, next.state);  // false: another worker has added it
  }
  return result;
}

}  // namespace effnet::search
