// The `effnet` binary.
#include <csignal>

#include "effnet/base/interrupt.h"
#include "effnet/base/process.h"
#include "effnet/cli/program.h"

int main(int argc, char** argv) {
  effnet::open_closed_streams();
  // By default SIGXFSZ kills a process that writes beyond the file size limit. If the signal is ignored, write()
  // returns an error, which effnet reports.
  std::signal(SIGXFSZ, SIG_IGN);
  effnet::install_interrupt_handlers();
  effnet::unblock_signals();  // `effnet launch` has blocked them until now
  effnet::cli::install_out_of_memory_handler();
  effnet::cli::Output out(stdout, stderr);
  return effnet::cli::run_program(argc, argv, effnet::cli::effnet_program(), out);
}
