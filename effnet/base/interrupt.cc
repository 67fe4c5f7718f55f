#include "effnet/base/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "effnet/base/error.h"

namespace effnet {
namespace {

volatile std::sig_atomic_t signals_seen = 0;
thread_local int held = 0;

void on_signal(int /*number*/) {
  if (signals_seen != 0) ::_exit(static_cast<int>(ErrorCode::interrupted));
  signals_seen = 1;
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;  // no SA_RESTART: waiting for a lock or a child ends with EINTR
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept { return signals_seen != 0; }

void check_interrupt() {
  if (interrupted() && held == 0) throw Error(ErrorCode::interrupted, "interrupted");
}

InterruptsHeld::InterruptsHeld() noexcept { ++held; }
InterruptsHeld::~InterruptsHeld() { --held; }

}  // namespace effnet
