#include "effnet/base/interrupt.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "effnet/base/error.h"

namespace effnet {
namespace {

// The handler may run in any thread and writes these flags; all threads read them. So the flags are atomic. A signal
// handler may use only lock-free atomics.
std::atomic<bool> signal_seen = false;
std::atomic<bool> end_requested = false;    // set by SIGINT or SIGTERM, not by SIGHUP (a closed terminal)
std::atomic<const char*> notice = nullptr;  // of InterruptNotice
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<const char*>::is_always_lock_free);
thread_local int deferred = 0;

void on_signal(int number) {
  signal_seen = true;
  if (number == SIGHUP) return;
  if (end_requested.exchange(true)) ::_exit(static_cast<int>(ErrorCode::interrupted));
  const char* const text = notice;
  if (text == nullptr) return;
  const int error = errno;  // of the code that the signal has interrupted
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) {
    // stderr is closed; the process stops all the same
  }
  errno = error;
}

void mask_signals(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  sigprocmask(how, &signals, nullptr);
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;  // no SA_RESTART, so that waiting for a lock or a child ends with EINTR
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before {};
  if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

void block_signals() { mask_signals(SIG_BLOCK); }
void unblock_signals() { mask_signals(SIG_UNBLOCK); }

bool interrupted() noexcept { return signal_seen; }

void check_interrupt() {
  if (interrupted() && deferred == 0) throw Error(ErrorCode::interrupted, "interrupted");
}

void interruptible_sleep(double seconds) {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  constexpr Seconds kSlice(0.05);  // a signal for another thread does not end this thread's sleep
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
  while (true) {
    check_interrupt();
    const Clock::time_point now = Clock::now();
    if (now >= end) return;
    std::this_thread::sleep_for(std::min<Seconds>(end - now, kSlice));
  }
}

InterruptNotice::InterruptNotice(const char* text) noexcept { notice = text; }
InterruptNotice::~InterruptNotice() { notice = nullptr; }

DeferInterrupts::DeferInterrupts() noexcept { ++deferred; }
DeferInterrupts::~DeferInterrupts() { --deferred; }

}  // namespace effnet
