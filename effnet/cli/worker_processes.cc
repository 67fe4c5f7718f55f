#include "effnet/cli/worker_processes.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <filesystem>
#include <thread>

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

std::vector<std::string> words_without(const std::vector<std::string>& words,
                                       const std::vector<std::string_view>& options) {
  std::vector<std::string> kept;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto is_option = [&](std::string_view option) { return words[i] == option; };
    const auto has_value = [&](std::string_view option) { return words[i].starts_with(fmt::format("{}=", option)); };
    if (std::ranges::any_of(options, is_option)) {
      ++i;  // the value
    } else if (std::ranges::none_of(options, has_value) && words[i] != "--json" && words[i] != "--quiet") {
      kept.push_back(words[i]);
    }
  }
  return kept;
}

void check_worker(const ProcessResult& result) {
  if (!result.started) throw environment_error("a worker cannot be started (got no process, expected one)");
  if (result.exit_code == 0) return;
  const std::string end = result.signal != 0 ? fmt::format("was killed by {}", signal_text(result.signal))
                                             : fmt::format("ended with exit code {}", result.exit_code);
  const Error error = environment_error("a worker {}{}", end, result.errors.empty() ? "" : ": " + result.errors);
  if (result.signal != SIGKILL) throw error;
  throw error.with_hint(
      "the system kills processes if memory is short: try fewer --workers; the same command continues the study");
}

void run_workers(std::vector<std::string> words, int count, int threads, const std::function<void()>& meanwhile) {
  words.insert(words.begin(), std::filesystem::read_symlink("/proc/self/exe").string());
  words.emplace_back("--quiet");
  words.push_back(fmt::format("--threads={}", std::max(1, threads / count)));
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  std::vector<std::thread> waiting;
  waiting.reserve(errors.size());
  std::atomic<int> running = count;
  for (std::exception_ptr& error : errors) {
    waiting.emplace_back([&words, &error, &running] {
      try {
        check_worker(run_process(words));
      } catch (...) {
        error = std::current_exception();
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
  if (own) std::rethrow_exception(own);
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace effnet::cli
