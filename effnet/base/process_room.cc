#include "effnet/base/process_room.h"

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

void check_threads(int count) {
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
  throw environment_error("the system gives this process too few threads (got {}, expected {}: {})", threads.size(),
                          count, failure->message())
      .with_hint("a smaller --threads, or a higher limit: ulimit -u, or the container's pids limit");
}

void check_files(int count) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  std::error_code failure;
  rlim_t open = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", failure), end; !failure && entry != end;
       entry.increment(failure))
    ++open;
  if (failure && failure != std::errc::too_many_files_open) return;  // no /proc: nothing is known
  const rlim_t needed = failure ? limit.rlim_cur + static_cast<rlim_t>(count) : open + static_cast<rlim_t>(count);
  if (needed <= limit.rlim_cur) return;
  const rlimit raised{.rlim_cur = std::min(needed, limit.rlim_max), .rlim_max = limit.rlim_max};
  if (raised.rlim_cur >= needed && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  throw environment_error("this process may open too few files (got a limit of {}, expected at least {})",
                          limit.rlim_max, needed)
      .with_hint("a higher limit: ulimit -n");
}

}  // namespace effnet
