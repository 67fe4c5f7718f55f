#include "effnet/cli/launch_ranks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "effnet/base/interrupt.h"

namespace effnet::cli {
namespace {

using Clock = std::chrono::steady_clock;

// After a failure the other ranks detect the lost rank within 5 s (train/distributed/heartbeat.h) and report it. Ranks
// that still run kGrace after the failure get SIGTERM, and SIGKILL after another kGrace.
constexpr auto kGrace = std::chrono::seconds(10);

struct Child {
  pid_t id = 0;
  int errors = -1;   // read end of the pipe for stderr; -1: stderr is inherited, or closed
  std::string line;  // stderr output that is not forwarded yet: an incomplete line
  bool running = true;
  int code = 0;  // exit code, or 128 + signal if a signal killed it
};

// A free port for rank 0. This process binds a socket to it without listening, so the kernel gives the port to no other
// program. Rank 0 can still bind it, because both sockets use SO_REUSEADDR.
class FreePort {
 public:
  FreePort() = default;
  // Not in the constructor: if a constructor throws, the destructor does not run, and the socket would stay open.
  void reserve() {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (socket_ < 0 || ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(socket_, generic, length) != 0 || ::getsockname(socket_, generic, &length) != 0)
      throw environment_error("no free port on 127.0.0.1 (got {})", std::strerror(errno));
    number = ntohs(address.sin_port);
  }
  ~FreePort() {
    if (socket_ >= 0) ::close(socket_);
  }
  FreePort(const FreePort&) = delete;
  FreePort& operator=(const FreePort&) = delete;
  int number = 0;

 private:
  int socket_ = -1;
};

// Returns this process's environment with the variables `changes` set.
std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const bool changed = std::any_of(changes.begin(), changes.end(),
                                     [&](const auto& change) { return text.starts_with(change.first + "="); });
    if (!changed) result.emplace_back(text);
  }
  for (const auto& [name, value] : changes) result.push_back(fmt::format("{}={}", name, value));
  return result;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (const std::string& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

struct SignalsBlocked {
  SignalsBlocked() { block_signals(); }
  ~SignalsBlocked() { unblock_signals(); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
};

// Starts one rank. Rank 0 inherits stdout and stderr. The stdout of other ranks is discarded, their stderr goes to a
// pipe.
Child start(int rank, const std::string& program, const std::vector<std::string>& words,
            const std::vector<std::string>& environment) {
  std::array<int, 2> pipe{-1, -1};
  if (rank > 0 && ::pipe2(pipe.data(), O_CLOEXEC) != 0)
    throw environment_error("cannot make a pipe for rank {} ({})", rank, std::strerror(errno));
  const std::vector<char*> arguments = pointers(words), variables = pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {  // only async-signal-safe calls after fork
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(128 + SIGTERM);  // the parent died before prctl
    ::setpgid(0, 0);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    if (rank > 0) {
      ::dup2(nothing, STDOUT_FILENO);
      ::dup2(pipe[1], STDERR_FILENO);
    }
    ::execve(program.c_str(), arguments.data(), variables.data());
    ::_exit(static_cast<int>(ErrorCode::environment));
  }
  if (rank > 0) ::close(pipe[1]);
  if (child < 0) {
    if (rank > 0) ::close(pipe[0]);
    throw environment_error("cannot start rank {} ({})", rank, std::strerror(errno));
  }
  Child result;
  result.id = child;
  result.errors = pipe[0];
  return result;
}

// Owns the rank processes. start_all() starts them, and not the constructor: if one rank cannot be started, the
// destructor must run, because it kills the ranks that already run.
class RankProcesses {
 public:
  RankProcesses(int count, Output& out) : count_(count), out_(out) {}
  void start_all(const std::vector<std::string>& words, int threads) {
    std::error_code failure;
    const std::string program = std::filesystem::read_symlink("/proc/self/exe", failure).string();
    if (failure) throw environment_error("cannot find this program's own file (/proc/self/exe: {})", failure.message());
    port_.reserve();
    // Signals stay blocked in a child until its own handlers are installed, so that none is lost.
    const SignalsBlocked blocked;
    const std::string per_rank = std::to_string(std::max(1, threads / count_));
    children_.reserve(static_cast<std::size_t>(count_));  // so that push_back cannot fail after a start
    for (int rank = 0; rank < count_; ++rank) {
      children_.push_back(start(rank, program, words,
                                environment_with({{"RANK", std::to_string(rank)},
                                                  {"WORLD_SIZE", std::to_string(count_)},
                                                  {"LOCAL_RANK", std::to_string(rank)},
                                                  {"LOCAL_WORLD_SIZE", std::to_string(count_)},
                                                  {"MASTER_ADDR", "127.0.0.1"},
                                                  {"MASTER_PORT", std::to_string(port_.number)},
                                                  {"TORCHELASTIC_USE_AGENT_STORE", "False"},
                                                  {"EFFNET_THREADS", per_rank},
                                                  {"OMP_NUM_THREADS", per_rank}})));
    }
  }
  ~RankProcesses() {  // after an error: kill all ranks that still run
    for (Child& child : children_) {
      if (child.running) ::kill(child.id, SIGKILL);
      if (child.running) ::waitpid(child.id, nullptr, 0);
      if (child.errors >= 0) ::close(child.errors);
    }
  }
  RankProcesses(const RankProcesses&) = delete;
  RankProcesses& operator=(const RankProcesses&) = delete;

  // Waits for all ranks. Returns the exit code of the first that failed, else 0.
  int wait() {
    while (std::any_of(children_.begin(), children_.end(), [](const Child& child) { return child.running; })) {
      forward_stderr(50);
      reap();
      if (interrupted() && !signalled_) {
        signalled_ = true;  // from now on there is no time limit, because ranks save their state
        signal_all(SIGTERM);
      }
      if (first_failure_ < 0 || signalled_) continue;
      if (!sigterm_sent_ && Clock::now() - failed_at_ > kGrace) {
        sigterm_sent_ = true;
        signal_all(SIGTERM);
      }
      if (Clock::now() - failed_at_ > 2 * kGrace) signal_all(SIGKILL);
    }
    while (forward_stderr(0)) {
    }
    if (first_failure_ < 0) return 0;
    const Child& failed = children_[static_cast<std::size_t>(first_failure_)];
    if (failed.code > 128 && failed.code != static_cast<int>(ErrorCode::interrupted))
      out_.error(environment_error("rank {} of {} was killed by signal {} ({})", first_failure_, count_,
                                   failed.code - 128, ::strsignal(failed.code - 128)));
    return failed.code;
  }

 private:
  void signal_all(int number) {
    for (const Child& child : children_)
      if (child.running) ::kill(child.id, number);
  }

  void reap() {
    for (std::size_t rank = 0; rank < children_.size(); ++rank) {
      Child& child = children_[rank];
      int status = 0;
      if (!child.running || ::waitpid(child.id, &status, WNOHANG) != child.id) continue;
      child.running = false;
      child.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      // The forwarded SIGTERM killed a rank that had no handler (a script, or a program that was still loading). This
      // counts as interrupted.
      if (signalled_ && child.code == 128 + SIGTERM) child.code = static_cast<int>(ErrorCode::interrupted);
      // After a signal, ranks normally end with the code `interrupted`. If a rank ends with an error, that code has
      // priority.
      const bool has_priority =
          first_failure_ >= 0 && signalled_ &&
          children_[static_cast<std::size_t>(first_failure_)].code == static_cast<int>(ErrorCode::interrupted) &&
          child.code != static_cast<int>(ErrorCode::interrupted);
      if (child.code == 0 || (first_failure_ >= 0 && !has_priority)) continue;
      first_failure_ = static_cast<int>(rank);
      failed_at_ = Clock::now();
    }
  }

  // Waits up to timeout_ms for stderr output of ranks 1 and higher, and forwards complete lines. Returns false if there
  // was no output. Does not wait for grandchildren that keep the pipe open after the rank has ended.
  bool forward_stderr(int timeout_ms) {
    std::vector<pollfd> polled;
    for (const Child& child : children_) polled.push_back({child.errors, POLLIN, 0});  // poll() ignores -1
    if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return false;
    for (std::size_t rank = 0; rank < children_.size(); ++rank) {
      Child& child = children_[rank];
      if (polled[rank].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t got = ::read(child.errors, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got > 0) child.line.append(buffer.data(), static_cast<std::size_t>(got));
      if (got <= 0) {
        ::close(child.errors);
        child.errors = -1;
        if (!child.line.empty()) child.line += '\n';
      }
      std::size_t end = 0;
      // A line above 64 KiB is split, so that it cannot exhaust memory.
      while ((end = child.line.find('\n')) != std::string::npos || child.line.size() > 65536) {
        end = std::min(end, child.line.size() - 1);
        out_.message(fmt::format("[rank {}] {}{}", rank, std::string_view(child.line).substr(0, end + 1),
                                 child.line[end] == '\n' ? "" : "\n"));
        child.line.erase(0, end + 1);
      }
    }
    return true;
  }

  const int count_;
  Output& out_;
  FreePort port_;
  std::vector<Child> children_;
  int first_failure_ = -1;
  Clock::time_point failed_at_;
  bool signalled_ = false, sigterm_sent_ = false;
};

}  // namespace

int run_ranks(int count, const std::vector<std::string>& words, int threads, Output& out) {
  RankProcesses ranks(count, out);
  ranks.start_all(words, threads);
  return ranks.wait();
}

}  // namespace effnet::cli
