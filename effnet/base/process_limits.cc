#include "effnet/base/process_limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "effnet/base/error.h"

namespace effnet {

void check_thread_limit(int count) {
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  std::optional<std::error_code> failure;
  try {
    while (threads.size() < static_cast<std::size_t>(count)) threads.emplace_back([ended] { ended.wait(); });
  } catch (const std::system_error& error) {
    failure = error.code();
  }
  end.set_value();
  for (std::thread& thread : threads) thread.join();
  if (!failure) return;
  throw environment_error("too few threads can be started (got {}, expected {}: {})", threads.size(), count,
                          failure->message())
      .with_hint("use a smaller --threads, or raise the limit: ulimit -u, or the container's pids limit");
}

void check_file_limit(int count) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  std::error_code failure;
  rlim_t open = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", failure), end; !failure && entry != end;
       entry.increment(failure))
    ++open;
  if (failure && failure != std::errc::too_many_files_open) return;  // no /proc: the number of open files is unknown
  const rlim_t needed = failure ? limit.rlim_cur + static_cast<rlim_t>(count) : open + static_cast<rlim_t>(count);
  if (needed <= limit.rlim_cur) return;
  const rlimit raised{.rlim_cur = std::min(needed, limit.rlim_max), .rlim_max = limit.rlim_max};
  if (raised.rlim_cur >= needed && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  throw environment_error("the limit of open files is too low (got {}, expected at least {})", limit.rlim_max, needed)
      .with_hint("raise the limit: ulimit -n");
}

}  // namespace effnet
