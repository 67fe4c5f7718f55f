// The commands of effnet-train.
#pragma once

#include "effnet/cli/program.h"

namespace effnet::cli {

Body declare_train(CLI::App& command, const Globals& globals);
Body declare_finetune(CLI::App& command, const Globals& globals);
Body declare_gradient_cam(CLI::App& command, const Globals& globals);
Body declare_scale_search(CLI::App& command, const Globals& globals);
Body declare_full_search(CLI::App& command, const Globals& globals);     // effnet search, with all evaluators
Body declare_search_supernet(CLI::App& search, const Globals& globals);  // adds the sub-command `supernet`

void turn_warnings_off();  // of LibTorch, which address programmers and not users

// Returns the JSON of `effnet-train --version --json`: version, LibTorch's version, CUDA, number of GPUs, Gloo.
Json train_program_facts();

}  // namespace effnet::cli
