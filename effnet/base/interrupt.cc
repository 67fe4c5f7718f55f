#include "effnet/base/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

#include "effnet/base/error.h"

namespace effnet {
namespace {

// Written by the handler, in whichever thread the signal comes, and read by all threads: only an atomic may be, and
// only one without a lock may be used in a handler.
std::atomic<bool> signal_seen = false;
std::atomic<bool> asked_to_end = false;  // by a person or a program, not only by a terminal that is gone
static_assert(std::atomic<bool>::is_always_lock_free);
thread_local int held = 0;

void on_signal(int number) {
  signal_seen = true;
  if (number != SIGHUP && asked_to_end.exchange(true)) ::_exit(static_cast<int>(ErrorCode::interrupted));
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
  action.sa_handler = on_signal;  // no SA_RESTART: waiting for a lock or a child ends with EINTR
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction before {};
  if (sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
}

void hold_signals() { mask_signals(SIG_BLOCK); }
void admit_signals() { mask_signals(SIG_UNBLOCK); }

bool interrupted() noexcept { return signal_seen; }

void check_interrupt() {
  if (interrupted() && held == 0) throw Error(ErrorCode::interrupted, "interrupted");
}

InterruptsHeld::InterruptsHeld() noexcept { ++held; }
InterruptsHeld::~InterruptsHeld() { --held; }

}  // namespace effnet
