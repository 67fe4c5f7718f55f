// The `effnet` binary.
#include <csignal>

#include "effnet/base/interrupt.h"
#include "effnet/cli/program.h"

int main(int argc, char** argv) {
  // A file that may not grow is an error of write(), which is told and leaves no half of a file; not a kill.
  std::signal(SIGXFSZ, SIG_IGN);
  effnet::install_interrupt_handlers();
  effnet::unblock_signals();  // held back by `effnet launch` until now
  effnet::cli::install_out_of_memory_handler();
  effnet::cli::Output out(stdout, stderr);
  return effnet::cli::run_program(argc, argv, effnet::cli::effnet_program(), out);
}
