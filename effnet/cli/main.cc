// The `effnet` binary.
#include <csignal>

#include "effnet/base/interrupt.h"
#include "effnet/cli/program.h"

int main(int argc, char** argv) {
  // A file that may not grow is an error of write(), which is told and leaves no half of a file; not a kill.
  std::signal(SIGXFSZ, SIG_IGN);
  effnet::install_interrupt_handlers();
  effnet::admit_signals();  // held back by `effnet launch` until now
  return effnet::cli::run_program(argc, argv,
                                  {.description = "EfficientNet: describe, scale, count, train and run compound-scaled "
                                                  "networks",
                                   .commands = effnet::cli::commands(),
                                   .planned = effnet::cli::planned_commands()});
}
