// Ctrl-C without loss: the signal only raises a flag; work that takes long asks for it between steps that can be
// undone, and the exception unwinds (temporary files go, locks open) to exit code 130.
#pragma once

namespace effnet {

void install_interrupt_handlers();  // SIGINT and SIGTERM; a second signal ends the process at once
bool interrupted() noexcept;
void check_interrupt();  // throws Error(interrupted) once a signal came

}  // namespace effnet
