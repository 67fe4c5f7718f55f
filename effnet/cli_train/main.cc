// The `effnet-train` binary. `effnet train` replaces itself by it.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "effnet/base/interrupt.h"
#include "effnet/base/openmp.h"
#include "effnet/base/process.h"
#include "effnet/cli_train/commands.h"

namespace effnet::cli {
namespace {

bool has_word(int argc, char** argv, std::string_view word) {
  return std::any_of(argv + 1, argv + argc, [&](const char* one) { return word == one; });
}

// LibTorch and Gloo write warnings to stderr (NNPACK on an unknown processor, a host name without an address). Users
// can set these variables themselves to see the warnings.
void quiet_libraries() {
  ::setenv("TORCH_CPP_LOG_LEVEL", "ERROR", /*overwrite=*/0);
  ::setenv("GLOG_minloglevel", "2", /*overwrite=*/0);
}

}  // namespace
}  // namespace effnet::cli

int main(int argc, char** argv) {
  using namespace effnet;
  open_closed_streams();
  const bool facts = cli::has_word(argc, argv, "--version") && cli::has_word(argc, argv, "--json");
  if (!facts) restart_with_passive_openmp(argv);
  // By default SIGXFSZ (file size limit) and SIGPIPE (closed pipe) kill the process. If they are ignored, write()
  // returns an error, and the run reports it and ends in order.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  cli::quiet_libraries();
  install_interrupt_handlers();
  unblock_signals();  // effnet has blocked them until now
  cli::install_out_of_memory_handler();
  cli::Output out(stdout, stderr);
  if (facts) {
    out.print_json(cli::train_program_facts());
    return 0;
  }
  const int code =
      cli::run_program(argc, argv,
                       {.description = "The training program of effnet",
                        .commands = {{"train", "Train a network from a recipe", cli::declare_train},
                                     {"finetune", "Make a classifier from a folder of images", cli::declare_finetune},
                                     {"scale", "Search for scaling coefficients", cli::declare_scale_search},
                                     {"search", "Search for an architecture", cli::declare_full_search},
                                     {"cam", "Draw class activation maps", cli::declare_gradient_cam}},
                        .planned = {}},
                       out);
  // After an error a thread may still wait in LibTorch for another process. exit() would destroy objects that it uses,
  // so _exit() ends the process without destructors.
  if (code != 0) {
    std::fflush(nullptr);
    ::_exit(code);
  }
  return 0;
}
