// Ctrl-C without loss: the signal only raises a flag; work that takes long asks for it between steps that can be
// undone, and the exception unwinds (temporary files go, locks open) to exit code 130.
#pragma once

namespace effnet {

// SIGINT and SIGTERM: a second one ends the process at once. SIGHUP (a closed terminal, a lost connection) too, where
// it is not ignored (nohup), but it never counts as a second one: shell and kernel may both send it.
void install_interrupt_handlers();
bool interrupted() noexcept;
void check_interrupt();  // throws Error(interrupted) once a signal came

// Between two programs of one process (execv) no handler is there: these signals then wait, also across execv, until
// the next program has its own and admits them.
void hold_signals();
void admit_signals();

// While one lives, check_interrupt() does not throw on this thread: for saving state after the signal came, when the
// files that are written must not be given up half way.
class InterruptsHeld {
 public:
  InterruptsHeld() noexcept;
  ~InterruptsHeld();
  InterruptsHeld(const InterruptsHeld&) = delete;
  InterruptsHeld& operator=(const InterruptsHeld&) = delete;
};

}  // namespace effnet
