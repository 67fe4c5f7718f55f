#include "effnet/search/study/worker.h"

#include <unistd.h>

#include <array>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "effnet/base/error.h"

namespace effnet::search {
namespace {

// Repeats the heartbeat of one trial while the object exists.
class Heart {
 public:
  Heart(const Study& study, std::string_view kind, std::int64_t trial, const WorkerOptions& options)
      : thread_([this, file = study.file(), kind = std::string(kind), trial, &options] {
          run(file, kind, trial, options);
        }) {}
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

 private:
  void run(const std::filesystem::path& file, const std::string& kind, std::int64_t trial,
           const WorkerOptions& options) {
    try {
      Study study(file, kind);
      std::unique_lock lock(mutex_);
      while (!changed_.wait_for(lock, std::chrono::duration<double>(options.beat_s), [&] { return stopped_; })) {
        if (!study.beat(trial, options.name, options.now())) return;
      }
    } catch (const Error&) {
      // Without heartbeats another worker takes the trial over, which is right if the study cannot be reached.
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

// Evaluates the trial and stores its end.
void run_trial(Study& study, std::string_view kind, Trial trial, const Evaluate& evaluate, const WorkerOptions& options,
               WorkerResult& result) {
  std::string error;
  Evaluation evaluation;
  try {
    const Heart heart(study, kind, trial.id, options);
    evaluation = evaluate(trial);
    if (!std::isfinite(evaluation.score)) error = fmt::format("the score is {}", evaluation.score);
  } catch (const Error& failure) {
    if (failure.code() == ErrorCode::interrupted) {
      study.release(trial.id, options.name);
      throw;
    }
    error = failure.what();
  }
  trial.ended_s = options.now();
  trial.state = error.empty() ? TrialState::done : TrialState::failed;
  trial.score = evaluation.score;
  trial.details = error.empty() ? evaluation.details : error;
  const bool held = error.empty() ? study.finish(trial.id, options.name, trial.score, trial.details, trial.ended_s)
                                  : study.fail(trial.id, options.name, error, trial.ended_s);
  ++(!held ? result.lost : error.empty() ? result.done : result.failed);
  if (held && options.ended) options.ended(trial);
}

}  // namespace

std::string worker_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("{}-{}-{:08x}", host.data(), ::getpid(), std::random_device{}());
}

WorkerResult work(Study& study, std::string_view kind, const Plan& plan, const Evaluate& evaluate,
                  const WorkerOptions& options) {
  WorkerResult result;
  while (true) {
    if (const std::optional<Trial> trial = study.claim(options.name, options.now(), options.claim)) {
      run_trial(study, kind, *trial, evaluate, options, result);
      continue;
    }
    const std::int64_t generations = study.generations();
    if (!study.is_idle()) {
      options.sleep(options.poll_s);
      continue;
    }
    const std::vector<NewTrial> next = plan(study.trials());
    if (next.empty()) return result;
    study.add_generation(generations, next);  // false: another worker has added it
  }
}

}  // namespace effnet::search
