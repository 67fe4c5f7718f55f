// Ctrl-C without loss: the signal only raises a flag; work that takes long asks for it between steps that can be
// undone, and the exception unwinds (temporary files go, locks open) to exit code 130.
#pragma once

namespace effnet {

void install_interrupt_handlers();  // SIGINT and SIGTERM; a second signal ends the process at once
bool interrupted() noexcept;
void check_interrupt();  // throws Error(interrupted) once a signal came

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
