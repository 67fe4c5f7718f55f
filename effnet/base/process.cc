#include "effnet/base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
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

// In a child that `parent` has just forked: runs the program with the descriptor `stream` as stdout or stderr (`kept`).
// If it cannot be started, writes one byte to `failure`. Only async-signal-safe calls, because another thread of the
// parent may hold a lock; glibc's execvp is one.
[[noreturn]] void become(char* const* arguments, pid_t parent, int kept, int stream, int failure) {
  // The inherited handler would catch the next line's signal, and exec would forget it.
  ::signal(SIGTERM, SIG_DFL);
  // Sent when the thread that forked ends: run_process() lets it wait for the child.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(128 + SIGTERM);  // the parent died before prctl
  ::setpgid(0, 0);                                    // so that Ctrl-C does not reach the child twice
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, kept == STDERR_FILENO ? STDOUT_FILENO : STDERR_FILENO);
  ::dup2(stream, kept);
  if (nothing > STDERR_FILENO) ::close(nothing);
  ::execvp(arguments[0], arguments);
  const char byte = 0;
  while (::write(failure, &byte, 1) < 0 && errno == EINTR) {
  }
  ::_exit(127);
}

// Whether the child has started its program: then nothing is written to the pipe, and exec closes its other end.
bool has_started(int failure) {
  char byte = 0;
  ssize_t got = 0;
  while ((got = ::read(failure, &byte, 1)) < 0 && errno == EINTR) {
  }
  return got == 0;
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& words, Keep keep) {
  std::array<int, 2> pipe{}, failure{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw environment_error("cannot create a pipe for {}", words.at(0));
  if (::pipe2(failure.data(), O_CLOEXEC) != 0) {
    ::close(pipe[0]);
    ::close(pipe[1]);
    throw environment_error("cannot create a pipe for {}", words.at(0));
  }
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0)
    become(arguments.data(), parent, keep == Keep::errors ? STDERR_FILENO : STDOUT_FILENO, pipe[1], failure[1]);
  ::close(pipe[1]);
  ::close(failure[1]);
  ProcessResult result;
  result.started = child > 0 && has_started(failure[0]);
  ::close(failure[0]);
  if (!result.started) {
    ::close(pipe[0]);
    if (child > 0) wait_for(child);
    return result;
  }
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
  const int status = wait_for(child);
  check_interrupt();
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

void open_closed_streams() {
  constexpr std::array kModes{O_WRONLY, O_RDONLY, O_WRONLY};  // of 0 and 1 the wrong ones, so that they are errors
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // open() takes the lowest number that is free, which is this one. exec keeps it open, for effnet-train.
    if (::open("/dev/null", kModes[static_cast<std::size_t>(stream)]) < 0) return;
  }
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
