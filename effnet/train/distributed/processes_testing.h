// Forks several processes for a test; each runs a function and returns a text.
#pragma once

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "effnet/base/error.h"

namespace effnet::train {

struct Outcome {
  int code = -1;  // the exit code; 128 + signal if it was killed
  std::string text;
};

// Forks `count` processes and runs `part(rank)` in each. The text of an outcome is the function's result, or "error
// CODE: WHAT" if it throws. Processes that stopped themselves (SIGSTOP) are killed when all others have ended. After
// `seconds`, a guard against hanging, all processes are killed.
inline std::vector<Outcome> run_processes(int count, double seconds, const std::function<std::string(int)>& part) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  std::vector<pid_t> children;
  std::vector<int> ends;
  for (int rank = 0; rank < count; ++rank) {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) throw environment_error("cannot create a pipe");
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      std::signal(SIGPIPE, SIG_IGN);  // required by join(), and done by effnet-train
      std::string text;
      int code = 0;
      try {
        text = part(rank);
      } catch (const Error& error) {
        code = static_cast<int>(error.code());
        text = fmt::format("error {}: {}", code, error.what());
      } catch (const std::exception& error) {
        code = 1;
        text = fmt::format("exception: {}", error.what());
      }
      const auto written = ::write(pipe[1], text.data(), text.size());
      ::_exit(written == static_cast<ssize_t>(text.size()) ? code : 1);
    }
    ::close(pipe[1]);
    children.push_back(child);
    ends.push_back(pipe[0]);
  }
  std::vector<Outcome> outcomes(children.size());
  std::size_t open = children.size();
  while (open > 0) {
    std::vector<pollfd> polled;
    for (const int end : ends) polled.push_back({end, POLLIN, 0});
    ::poll(polled.data(), polled.size(), 50);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (polled[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t got = ::read(ends[i], buffer.data(), buffer.size());
      if (got > 0) {
        outcomes[i].text.append(buffer.data(), static_cast<std::size_t>(got));
        continue;
      }
      ::close(ends[i]);
      ends[i] = -1;  // poll() ignores it
      int status = 0;
      ::waitpid(children[i], &status, 0);
      outcomes[i].code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      --open;
    }
    const auto is_running = [&](std::size_t i) {
      if (ends[i] < 0) return false;
      siginfo_t stopped{};
      ::waitid(P_PID, static_cast<id_t>(children[i]), &stopped, WSTOPPED | WNOHANG | WNOWAIT);
      return stopped.si_pid != children[i];
    };
    bool any_running = false;
    for (std::size_t i = 0; i < ends.size(); ++i) any_running = any_running || is_running(i);
    if (any_running && elapsed() < seconds) continue;
    for (std::size_t i = 0; i < ends.size(); ++i)
      if (ends[i] >= 0) ::kill(children[i], SIGKILL);
  }
  return outcomes;
}

}  // namespace effnet::train
