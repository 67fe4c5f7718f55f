#include "effnet/cli/worker_processes.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/process.h"

namespace effnet::cli {
namespace {

constexpr double kShortestTimeout = 1;
constexpr double kLongestTimeout = 7 * 24 * 3600;
constexpr double kBeatsInTimeout = 6;
constexpr double kMeanwhileS = 0.25;

std::string signal_text(int number) {
  const char* name = ::sigabbrev_np(number);
  return name == nullptr ? fmt::format("signal {}", number) : fmt::format("signal {} (SIG{})", number, name);
}

}  // namespace

double now_s() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

search::WorkerOptions worker_options(double timeout_s) {
  if (!(timeout_s >= kShortestTimeout && timeout_s <= kLongestTimeout))
    throw usage_error("--timeout: out of range (got {}, expected {} to {} seconds)", timeout_s, kShortestTimeout,
                      kLongestTimeout);
  return {.name = search::worker_name(),
          .claim = {.timeout_s = timeout_s},
          .beat_s = timeout_s / kBeatsInTimeout,
          .now = now_s,
          .sleep = interruptible_sleep};
}

std::optional<Error> worker_error(const ProcessResult& result) {
  if (!result.started) return environment_error("a worker cannot be started (got no process, expected one)");
  if (result.exit_code == 0) return {};
  if (result.signal == 0) {
    if (const std::optional<Error> own = read_error(result.errors, result.exit_code)) return own->in("a worker");
  }
  const std::string end = result.signal != 0 ? fmt::format("was killed by {}", signal_text(result.signal))
                                             : fmt::format("ended with exit code {}", result.exit_code);
  const Error error = environment_error("a worker {}{}", end, result.errors.empty() ? "" : ": " + result.errors);
  if (result.signal != SIGKILL) return error;
  return error.with_hint(
      "the system kills processes if memory is short: try fewer --workers; the same command continues the study");
}

std::optional<Error> run_workers(const WorkerCommand& command, int count, int threads,
                                 const std::function<void()>& meanwhile) {
  std::vector<std::string> words{std::filesystem::read_symlink("/proc/self/exe").string()};
  words.insert(words.end(), command.words.begin(), command.words.end());
  words.emplace_back("--quiet");
  words.push_back(fmt::format("--threads={}", std::max(1, threads / count)));
  if (!command.operands.empty()) words.emplace_back("--");
  words.insert(words.end(), command.operands.begin(), command.operands.end());
  std::mutex mutex;
  std::optional<Error> failed;  // the first one
  std::exception_ptr fault;     // of this process
  std::atomic<int> running = count;
  std::vector<std::thread> waiting;
  waiting.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    waiting.emplace_back([&] {
      try {
        const std::optional<Error> error = worker_error(run_process(words));
        const std::lock_guard lock(mutex);
        if (!failed) failed = error;
      } catch (...) {
        const std::lock_guard lock(mutex);
        fault = std::current_exception();
      }
      --running;
    });
  }
  std::exception_ptr own;
  try {
    while (meanwhile && running > 0) {
      meanwhile();
      interruptible_sleep(kMeanwhileS);
    }
  } catch (...) {  // run_process() tells the workers about a signal, and they end soon
    own = std::current_exception();
  }
  for (std::thread& one : waiting) one.join();
  if (interrupted()) throw Error(ErrorCode::interrupted, "interrupted", "the same command continues the search");
  if (own) std::rethrow_exception(own);
  if (fault) std::rethrow_exception(fault);
  if (meanwhile) meanwhile();
  return failed;
}

void check_ended(const std::optional<Error>& failed, bool complete, Output& out) {
  if (!failed) return;
  if (!complete) throw *failed;
  out.warn(fmt::format("{}; the other workers have completed the search", failed->what()));
}

void check_any_done(search::Study& study) {
  const search::TrialCounts counts = study.counts();
  if (counts.failed == 0 || counts.waiting + counts.running + counts.done > 0) return;
  const std::vector<search::Trial> trials = study.trials();
  throw input_error("{}: no trial has succeeded (got {} failed, expected at least one that is done); trial {}: {}",
                    study.name(), counts.failed, trials.front().id, trials.front().details)
      .with_hint("a failed trial is not repeated: make another study, with a recipe or networks that can be trained");
}

std::string left_text(std::optional<double> seconds) {
  return seconds && *seconds >= 1 ? fmt::format("; about {} left", time_text(*seconds)) : std::string();
}

EndedTrials::EndedTrials(search::Study& study) : study_(study) {
  update([](const search::Trial& /*trial*/) {});
}

void EndedTrials::update(const std::function<void(const search::Trial&)>& report) {
  const search::TrialCounts counts = study_.counts();
  if (counts.done + counts.failed == count_) return;
  count_ = counts.done + counts.failed;
  std::vector<search::Trial> ended;
  for (search::Trial& trial : study_.trials()) {
    const bool has_ended = trial.state == search::TrialState::done || trial.state == search::TrialState::failed;
    if (has_ended && known_.insert(trial.id).second && trial.twin_of == 0) ended.push_back(std::move(trial));
  }
  std::ranges::stable_sort(ended, {}, &search::Trial::ended_s);
  for (const search::Trial& trial : ended) report(trial);
}

}  // namespace effnet::cli
