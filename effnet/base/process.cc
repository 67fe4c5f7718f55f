#include "effnet/base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>

#include "effnet/base/error.h"
#include "effnet/base/interrupt.h"
#include "effnet/base/text.h"

namespace effnet {
namespace {

constexpr int kPollMs = 100;  // between two looks for a signal

// The words of this process's command line. Empty if /proc does not give them.
std::vector<std::string> command_words() {
  std::ifstream file("/proc/self/cmdline");
  const std::string text((std::istreambuf_iterator<char>(file)), {});  // each word ends with a zero byte
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& words, Keep keep) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw environment_error("cannot create a pipe for {}", words.at(0));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  const int kept = keep == Keep::errors ? STDERR_FILENO : STDOUT_FILENO;
  const int discarded = keep == Keep::errors ? STDOUT_FILENO : STDERR_FILENO;
  posix_spawn_file_actions_addopen(&actions, discarded, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], kept);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // so that Ctrl-C does not reach the child twice
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failure = ::posix_spawnp(&child, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  ::close(pipe[1]);

  ProcessResult result;
  if (failure != 0) {
    ::close(pipe[0]);
    return result;
  }
  result.started = true;
  std::string& text = keep == Keep::errors ? result.errors : result.output;
  std::array<char, 4096> buffer{};
  bool signalled = false;
  while (true) {
    if (interrupted() && !signalled) {
      signalled = true;
      ::kill(child, SIGTERM);
    }
    pollfd readable{.fd = pipe[0], .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, kPollMs) <= 0) continue;  // a signal to this thread (-1) or to another one (0: time is up)
    const ssize_t got = ::read(pipe[0], buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > buffer.size()) text.erase(0, text.size() - buffer.size());
  }
  ::close(pipe[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  check_interrupt();
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string command_line() {
  std::string line;
  for (const std::string& word : command_words())
    line += line.empty() ? in_shell(word.substr(word.rfind('/') + 1)) : " " + in_shell(word);
  return line;
}

double process_age_s() {
  // Field 22 of /proc/self/stat is the start time in clock ticks since boot. Field 2 is the program's name in
  // parentheses. The name itself may contain blanks and parentheses, so the last ")" ends it.
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) fields >> field;
  timespec now{};
  if (!fields || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  const double started_s = std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double now_s = static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  return std::max(0.0, now_s - started_s);
}

std::int64_t peak_rss_bytes() {
  // Not getrusage(): its maximum includes the memory of the process that called exec.
  std::ifstream in("/proc/self/status");
  std::string word;
  while (in >> word) {
    std::int64_t kilobytes = 0;
    if (word == "VmHWM:" && in >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

}  // namespace effnet
